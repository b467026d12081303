export { BrokerError, brokerErrors } from './errors.ts';
export { createFrontDoor, FrontDoor, type FrontDoorOptions, type TestOnly } from './front-door.ts';
export { defaultLimits, type FrontDoorLimits } from './limits.ts';
export type { PresenceChange } from './presence.ts';
export type { Accept, Acceptance, Delivery } from './publishing.ts';
