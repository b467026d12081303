export { FaultProxy } from './fault-proxy.ts';
export { freePort } from './free-port.ts';
export { deviceStreams, type GatewayMessage, gatewayMessages } from './gateway-messages.ts';
export { madeWhole, makeRecordings } from './made-recordings.ts';
export { hasMariaDb, MariaDb, type MariaDbOptions, startMariaDb } from './maria-db.ts';
export { type MirrorFault, type MirrorRequest, MirrorServer } from './mirror-server.ts';
export {
  type ConnectBytes,
  connectPacket,
  mqttText,
  publishPacket,
  RawMqtt,
  type RawPacket,
  rawPacket,
  subscribePacket,
} from './raw-mqtt.ts';
export { type Recordings, recordings } from './recordings.ts';
export { removeTempDir, tempDir } from './temp-dir.ts';
export { type TestPatient, type TestSegments, testPatient, testSegments } from './test-patient.ts';
export { TestPki } from './test-pki.ts';
export { type UntilOptions, until } from './until.ts';
export { VirtualClock } from './virtual-clock.ts';
export { WebProxy } from './web-proxy.ts';
