/* Hexadecimal digits. */
#ifndef CRUDDUR_BASE_HEX_H
#define CRUDDUR_BASE_HEX_H

/* The value of a digit, either case, or -1. */
int hex_value(char digit);

#endif
