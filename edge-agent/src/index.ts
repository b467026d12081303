export { type AgentFile, expandHome, operatorTokenPath, readAgentFile } from './agent-file.ts';
export { EdgeConfig, edgePrefix } from './config.ts';
export { ensureDeviceToken, revokeDeviceToken } from './device-tokens.ts';
export { createEdgeAgent, createEdgeAgent as createEdge, type EdgeAgent, type EdgeEnv } from './edge-agent.ts';
export { EdgeError, edgeErrors } from './errors.ts';
export { systemdUnit, type UnitOptions } from './systemd-unit.ts';
