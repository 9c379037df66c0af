"""Where events of the log are sent to: a bucket, a collector over HTTPS, a syslog server. They know no event."""
