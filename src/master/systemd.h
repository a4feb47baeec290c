/* Word to systemd (sd_notify(3)'s protocol). Does nothing where systemd isn't. */
#ifndef CRUDDUR_MASTER_SYSTEMD_H
#define CRUDDUR_MASTER_SYSTEMD_H

/* state as in sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1". */
void systemd_notify(const char *state);

/* How often the watchdog wants a word, in ms; 0: never. */
int systemd_watchdog_ms(void);

#endif
