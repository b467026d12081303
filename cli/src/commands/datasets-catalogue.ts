import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  type Dataset,
  datasetNamed,
  type FetchResult,
  fetchDataset,
  fetchedFiles,
  fetchLimits,
  readCatalogue,
  type VerifyResult,
  verifyBundled,
  verifyDirectory,
} from '@vitalwire/datasets';
import type { Command } from 'commander';
import { parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { FetchView } from '../fetch-view.ts';
import { exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { tableLines } from '../table.ts';
import { bytesText } from '../text.ts';

type Common = { data?: string; json?: boolean };
type FetchFlags = Common & { files: string[]; from?: string; to?: string; parallel: number };

const dataHelp = 'data directory (default: VITALWIRE_DATA, else ~/.vitalwire)';

/** The sub-commands of `vitalwire datasets` about collections: `list`, `fetch`, `verify`. */
export function addCatalogueCommands(datasets: Command, io: Io): void {
  datasets
    .command('list [name]')
    .description('the data sets known by name, with licence and size; one of them whole')
    .option('--data <dir>', dataHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', listHelp)
    .action((name: string | undefined, options: Common) => list(io, name, options));
  datasets
    .command('fetch <name>')
    .description('fetch a data set, or go on where a fetch stopped; every file is compared with its checksum')
    .option('--files <pattern>', "only these paths, such as 'chb01/*.edf' or '*.txt'; may be given again", collect, [])
    .option('--from <url|dir>', 'a copy: an address, or a directory')
    .option('--to <dir>', 'where the files go (default: <data>/datasets/<name>)')
    .option('--parallel <n>', 'files at once', parseWhole(1, fetchLimits.maxParallel), fetchLimits.usualParallel)
    .option('--data <dir>', dataHelp)
    .option('--json', 'the result as one JSON object')
    .addHelpText('after', fetchHelp)
    .action((name: string, options: FetchFlags) => fetch(io, name, options));
  datasets
    .command('verify [name|dir]')
    .description('read every fetched byte and compare it with the checksums; without a name, everything there is')
    .option('--data <dir>', dataHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', verifyHelp)
    .action((what: string | undefined, options: Common) => verify(io, what, options));
}

const listHelp = `
Examples:
  vitalwire datasets list
  vitalwire datasets list chb-mit

Your own: put a file into <data>/catalogue/, for example ward-7.yaml:
  datasets:
    - name: ward-7
      title: Recordings of ward 7
      licence: internal
      citation: none
      url: https://files.example.org/ward-7/     # optional; else fetch with --from
      listing: SHA256SUMS.txt                     # or files: [{ path, sha256, bytes }]`;

const fetchHelp = `
Examples:
  vitalwire datasets fetch chb-mit --files 'chb01/*'
  vitalwire datasets fetch siena --from /mnt/usb/siena
  HTTPS_PROXY=http://proxy:3128 vitalwire datasets fetch chb-mit --to /data/chb-mit

Files lie under <name>.part until their checksum is right. Run it again to go on. The publisher's checksums are pinned in
vitalwire-lock.json when first met; a source that lists others later is refused. HTTP_PROXY, HTTPS_PROXY and NO_PROXY count.
Exit code 1 if a file could not be had, 3 if nothing answers or the disk is full.`;

const verifyHelp = `
Examples:
  vitalwire datasets verify
  vitalwire datasets verify chb-mit
  vitalwire datasets verify /mnt/usb/siena     (with vitalwire-lock.json or SHA256SUMS.txt in it)

Exit code 1 if a file is wrong or nothing is there.`;

async function list(io: Io, name: string | undefined, options: Common): Promise<void> {
  const places = placesOf(io, options.data);
  const catalogue = await readCatalogue(places.catalogue);
  const wanted = name === undefined ? catalogue : [datasetNamed(catalogue, name)];
  const entries = await Promise.all(wanted.map(async (dataset) => ({ ...dataset, here: await hereOf(dataset, places) })));
  if (options.json === true) {
    printJson(io, name === undefined ? entries : entries[0]);
    return;
  }
  if (name === undefined) {
    const rows = entries.map((entry) => [entry.name, entry.size ?? '', hereText(entry.here), entry.licence, entry.title]);
    for (const line of tableLines([['NAME', 'SIZE', 'HERE', 'LICENCE', 'TITLE'], ...rows])) printLine(io, line);
    return;
  }
  for (const entry of entries) {
    printLine(io, `${entry.title}\n${entry.about}`.trim());
    const rows = [
      ['licence', [entry.licence, entry.licenceUrl].filter(Boolean).join(', ')],
      ['cite', entry.citation],
      ['doi', entry.doi ?? ''],
      ['from', entry.url ?? (entry.origin === 'bundled' ? 'part of this software' : 'name a copy with --from')],
      ['size', entry.size ?? ''],
      [
        'checksums',
        entry.files === undefined
          ? `the publisher's ${entry.listing}, pinned when first fetched`
          : entry.origin === 'bundled'
            ? 'ours, measured'
            : `of ${entry.definedIn}`,
      ],
      ['here', hereText(entry.here)],
    ];
    for (const line of tableLines(rows.filter(([, text]) => text !== ''))) printLine(io, line);
  }
}

async function fetch(io: Io, name: string, options: FetchFlags): Promise<void> {
  const places = placesOf(io, options.data);
  const dataset = datasetNamed(await readCatalogue(places.catalogue), name);
  if (options.to?.trim() === '') throw new CliError('WRONG_ARGUMENT', '--to is empty: name a directory');
  if (dataset.origin === 'bundled' && options.to === undefined) {
    const here = await verifyBundled(dataset, io.signal);
    if (options.json === true)
      printJson(io, { dataset: name, directory: here.directory, fetched: [], alreadyThere: here.right, failed: here.wrong });
    else printLine(io, `${name} is part of this software (${here.directory}): nothing to fetch; --to copies it`);
    return;
  }
  const directory = path.resolve(options.to ?? path.join(places.datasets, name));
  if (options.files.length === 0 && dataset.size !== undefined) noteLine(io, `all of ${name}: ${dataset.size}; --files takes a part`);
  const view = new FetchView(io);
  let result: FetchResult;
  try {
    result = await fetchDataset({
      dataset,
      directory,
      from: options.from,
      files: options.files,
      parallel: options.parallel,
      env: io.env,
      signal: io.signal,
      onProgress: (progress) => view.take(progress),
    });
  } finally {
    view.end();
  }
  if (options.json === true) printJson(io, result);
  else tellResult(io, result);
  if (result.failed.length > 0) io.exitCode(exitCodes.answerIsNo);
}

function tellResult(io: Io, result: FetchResult): void {
  const { fetched, alreadyThere, failed, setAside } = result;
  printLine(io, `${fetched.length} files fetched (${bytesText(result.bytes)}), ${alreadyThere.length} were there, in ${result.directory}`);
  printLine(io, `checksums: ${result.checksumsFrom}`);
  for (const one of setAside) printLine(io, `${one} had wrong bytes: it is now ${one}.damaged`);
  for (const { reason } of failed) printLine(io, `not fetched: ${reason}`);
}

async function verify(io: Io, what: string | undefined, options: Common): Promise<void> {
  const places = placesOf(io, options.data);
  const catalogue = await readCatalogue(places.catalogue);
  const results: VerifyResult[] = [];
  const show = (one: string, isRight: boolean) => {
    if (!isRight) noteLine(io, `${one} is wrong`);
  };
  const named = catalogue.find((dataset) => dataset.name === what);
  if (what !== undefined && named === undefined) {
    if (!existsSync(what)) datasetNamed(catalogue, what); // says which names there are
    results.push(await verifyDirectory(path.resolve(what), io.signal, show));
  }
  for (const dataset of named === undefined ? (what === undefined ? catalogue : []) : [named]) {
    const directory = path.join(places.datasets, dataset.name);
    if (dataset.origin === 'bundled') results.push(await verifyBundled(dataset, io.signal, show));
    else if (existsSync(directory)) results.push(await verifyDirectory(directory, io.signal, show));
    else if (named !== undefined)
      throw new CliError('NOTHING_TO_VERIFY', `${named.name} is not in ${directory}; 'vitalwire datasets fetch ${named.name}' fetches it`);
  }
  if (options.json === true) printJson(io, results);
  else
    for (const { directory, right, wrong, absent, checksumsFrom } of results) {
      printLine(
        io,
        `${directory}: ${right.length} files right, ${wrong.length} wrong, ${absent.length} not here (checksums: ${checksumsFrom})`,
      );
      for (const one of wrong) printLine(io, `  ${one.path} has SHA-256 ${one.found}, expected ${one.expected}`);
    }
  if (results.some(({ right, wrong }) => wrong.length > 0 || right.length === 0)) io.exitCode(exitCodes.answerIsNo);
}

type Places = { readonly catalogue: string; readonly datasets: string };

function placesOf(io: Io, data: string | undefined): Places {
  const { root } = resolveDataDir(data, io.env);
  return { catalogue: path.join(root, 'catalogue'), datasets: path.join(root, 'datasets') };
}

type Here = { readonly files: number; readonly of: number | null };

async function hereOf(dataset: Dataset, places: Places): Promise<Here> {
  if (dataset.origin === 'bundled') return { files: dataset.files?.length ?? 0, of: dataset.files?.length ?? 0 };
  return fetchedFiles(path.join(places.datasets, dataset.name));
}

function hereText({ files, of }: Here): string {
  if (of === null) return 'no';
  return files === of ? 'all' : `${files} of ${of} files`;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
