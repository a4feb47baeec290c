/* Notifies systemd (the protocol of sd_notify(3)). Without systemd it does nothing. */
#ifndef CRUDDUR_MASTER_SYSTEMD_H
#define CRUDDUR_MASTER_SYSTEMD_H

/* state as in sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1". */
void systemd_notify(const char *state);

/* How often the watchdog must be notified, in ms; 0: there is none. */
int systemd_watchdog_ms(void);

#endif
