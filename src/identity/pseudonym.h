/* The text that the log has in place of a token's subject. */
#ifndef CRUDDUR_IDENTITY_PSEUDONYM_H
#define CRUDDUR_IDENTITY_PSEUDONYM_H

enum { PSEUDONYM_SIZE = 17 /* with the NUL */ };

/* The first 16 hexadecimal digits of the subject's SHA-256; an operator that has a subject finds
 * its lines with sha256sum. "" if OpenSSL has no memory. */
void pseudonym_make(char pseudonym[static PSEUDONYM_SIZE], const char *subject);

#endif
