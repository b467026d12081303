import { isId } from '@vitalwire/contract';
import { defaultPorts, frontDoorSetting, identitySettings, portSetting, secret, watchSettings } from '@vitalwire/runtime';
import { z } from 'zod';

/** Every setting of the agent. In the environment each is VITALWIRE_EDGE_ and its name in capitals. */
export const EdgeConfig = z.strictObject({
  ...identitySettings,
  ...frontDoorSetting,
  gatewayId: z
    .string()
    .refine(isId, { error: 'expected 1 to 63 letters, digits, dots, hyphens or underscores' })
    .default('gateway-1')
    .describe('id of this gateway: the CN of its certificate'),
  intakeHost: z.string().default('127.0.0.1').describe('address the HTTPS intake listens on'),
  intakePort: portSetting.default(defaultPorts.edge).describe('its port; 0 takes a free one'),
  intakeCertPath: z.string().optional().describe("certificate of the intake; default: the gateway's"),
  intakeKeyPath: z.string().optional().describe("key of the intake's certificate; default: the gateway's"),
  dataDir: z.string().default('~/.vitalwire/edge').describe('where the agent keeps its outbox and device tokens'),
  outboxPath: z.string().optional().describe('the outbox file; default: outbox.sqlite in dataDir'),
  outboxMaxMb: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_048_576)
    .default(8_192)
    .describe(
      'bound of the outbox; at the bound delivered chunks go first, then the oldest EEG, then numeric vitals, each with a gap record',
    ),
  minFreeMb: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_048_576)
    .default(256)
    .describe('free disk space to preserve; below it the outbox stops growing. 0 disables the check'),
  ringHours: z.coerce
    .number()
    .min(0)
    .max(8_760)
    .default(24)
    .describe(
      "how long delivered chunks are kept against the loss of the cluster's disk, 10 minutes at least: repeats are told from other readings by them",
    ),
  chunkMs: z.coerce.number().int().min(100).max(10_000).default(250).describe('length of an EEG chunk'),
  detect: z
    .boolean()
    .default(false)
    .describe('run the detector and the alarm engine here too, so that a gateway that is cut off still alarms (vitalwire edge watch)'),
  drainMs: z.coerce.number().int().min(0).max(600_000).default(5_000).describe('how long a stop waits for the last acknowledgements'),
  tokensDir: z.string().optional().describe('directory of device tokens, one file per device id; default: tokens in dataDir'),
  token: secret(z.string().min(16).optional()).describe(
    'bearer token of the operator, for status and drain; default: made at first start, in dataDir/agent.token',
  ),
  ...watchSettings,
});
export type EdgeConfig = z.output<typeof EdgeConfig>;

export const edgePrefix = 'VITALWIRE_EDGE_';
