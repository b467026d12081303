import { describeSettings, type Setting } from '@vitalwire/runtime';
import { prefixOf, services } from './services.ts';

export type ServiceSettings = { readonly service: string; readonly settings: readonly Setting[] };

/** What no service, but the command itself reads from the environment. */
const commandSettings: readonly Setting[] = [
  {
    key: 'data',
    env: 'VITALWIRE_DATA',
    default: '~/.vitalwire',
    required: false,
    secret: false,
    description: 'data directory, where --data is not given',
  },
  {
    key: 'datasets',
    env: 'VITALWIRE_DATASETS',
    default: "the platform's folder for data, such as ~/.local/share/vitalwire/datasets",
    required: false,
    secret: false,
    description: 'cache of fetched recordings, one for all checkouts and data directories',
  },
  {
    key: 'datasetsMirror',
    env: 'VITALWIRE_DATASETS_MIRROR',
    default: 'shared/data beside the checkout, where there is one',
    required: false,
    secret: false,
    description: "copies of data sets: a folder, used as it is, or an address to fetch from; 'none' for none",
  },
];

/** Every setting of every program, from the schemas that check them. */
export async function listSettings(): Promise<ServiceSettings[]> {
  const lists = Object.entries(services).map(async ([service, load]) => ({
    service,
    settings: describeSettings((await load()).schema, prefixOf(service)),
  }));
  return [{ service: 'the command', settings: commandSettings }, ...(await Promise.all(lists))];
}

/** The list as the file SETTINGS.md. */
export function settingsMarkdown(lists: readonly ServiceSettings[]): string {
  const parts = lists.map(({ service, settings }) =>
    [`## ${service}`, '', '| setting | environment variable | default | meaning |', '|---|---|---|---|', ...settings.map(row), ''].join(
      '\n',
    ),
  );
  return `${head}\n${parts.join('\n')}`;
}

const head = `# Settings

Made by \`vitalwire settings --markdown\` from the schemas that check them; a test compares. Do not edit by hand.

Every setting can stand in a YAML file (\`vitalwire service <name> --config file.yaml\`) or in the environment; the environment wins.
A setting marked *secret* can also be read from a file named by \`<VARIABLE>_FILE\`, and is never printed. \`vitalwire up\` passes the
environment on to its services and decides addresses, certificates and tokens itself; of addresses only the ports can be given.
`;

function row({ key, env, default: value, required, description, secret }: Setting): string {
  return `| ${key} | \`${env}\` | ${required ? 'must be given' : shown(value)} | ${cell(description)}${secret ? ' *secret*' : ''} |`;
}

function shown(value: unknown): string {
  if (value === undefined || value === '') return '';
  return `\`${cell(typeof value === 'string' ? value : JSON.stringify(value))}\``;
}

function cell(text: string): string {
  return text.replace(/\|/g, '\\|').replace(/\s+/g, ' ');
}
