// Which programs and libraries outside npm the tests use, and the Debian package that brings each.
// Plain JavaScript for Node 20: this runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

export const tools = [
  { name: 'mariadb', program: 'mariadbd', debian: 'mariadb-server-core' },
  { name: 'mariadb', program: 'my_print_defaults', debian: 'mariadb-client-core' }, // mariadb-install-db calls it, and does not depend on it
  { name: 'chromium', program: 'chromium', debian: 'chromium' },
  { name: 'tmux', program: 'tmux', debian: 'tmux' },
  { name: 'mosquitto', program: 'mosquitto_pub', debian: 'mosquitto-clients' },
  { name: 'python', program: 'python3', debian: 'python3' }, // calls EDFlib
  { name: 'edflib', library: 'libedf.so.1', debian: 'libedf1' },
];

const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'].filter((folder) => folder !== '');

function missingTools() {
  return tools.filter(({ program, library }) => (library === undefined ? !isProgram(program) : !isLibrary(library)));
}

function isProgram(name) {
  return folders.some((folder) => existsSync(`${folder}/${name}`));
}

/** Debian puts a library into a folder of the processor's architecture. */
function isLibrary(name) {
  const inside = existsSync('/usr/lib') ? readdirSync('/usr/lib').map((folder) => `/usr/lib/${folder}`) : [];
  return ['/usr/lib', '/usr/local/lib', ...inside].some((folder) => existsSync(`${folder}/${name}`));
}

/** Installs what is missing where that is ours to do (Debian, root), and returns what is still missing. */
export function ensureSystemPackages(say) {
  const missing = missingTools();
  if (missing.length === 0) return [];
  const packages = missing.map((tool) => tool.debian);
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) {
    say(
      `not installed here: ${missing.map((tool) => `${tool.program ?? tool.library} (Debian package ${tool.debian})`).join(', ')}; the suites that need them are skipped`,
    );
    return missing.map((tool) => tool.name);
  }
  say(`installing Debian packages the tests use: ${packages.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (args) => spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  apt(['update', '-qq']);
  if (!apt(['install', '-y', '-qq', '--no-install-recommends', ...packages]))
    say(`apt-get could not install ${packages.join(' ')}: its words are above`);
  return missingTools().map((tool) => tool.name);
}
