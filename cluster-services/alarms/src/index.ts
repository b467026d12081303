export { type Alarms, createAlarms } from './alarms.ts';
export { AlarmsConfig } from './config.ts';
