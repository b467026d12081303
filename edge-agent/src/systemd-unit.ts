export type UnitOptions = {
  readonly user: string;
  readonly script: string; // bin/vitalwire.js
  readonly configPath: string;
  readonly dataDir: string;
  readonly memoryMaxMb: number;
};

/** The text of a systemd unit that runs the agent as its own user, within its memory, restarted when it falls silent. */
export function systemdUnit(options: UnitOptions): string {
  const { user, script, configPath, dataDir, memoryMaxMb } = options;
  return `[Unit]
Description=Vitalwire edge agent (research and education software, not a medical device)
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=notify
# Node cannot send the notifications itself: it runs systemd-notify, a child, which must be let through.
NotifyAccess=all
User=${user}
Group=${user}
ExecStart=/usr/bin/env node ${quoted(script)} edge run --config ${quoted(configPath)}
Restart=always
RestartSec=2
WatchdogSec=60
TimeoutStopSec=30
MemoryMax=${memoryMaxMb}M
# Short-lived values are collected sooner: a large phone export costs 120 MB then instead of 200.
Environment=NODE_OPTIONS=--max-semi-space-size=8
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=${quoted(dataDir)}

[Install]
WantedBy=multi-user.target
`;
}

function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`;
}
