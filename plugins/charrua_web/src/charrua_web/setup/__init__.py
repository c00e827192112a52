"""Set-up: settings, remote servers, troubles, plugins, audit trail, storage and certificates, as pages and as calls."""
