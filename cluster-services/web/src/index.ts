export { WebConfig } from './config.ts';
export { createWeb, type Web, type WebDeps } from './web.ts';
