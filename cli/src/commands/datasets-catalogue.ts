import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  type Dataset,
  datasetNamed,
  type FetchResult,
  type FilesHere,
  fetchLimits,
  filesHere,
  isWhole,
  mirrorFolder,
  type RecordingPlaces,
  readCatalogue,
  recordingPlaces,
  removeDataset,
  type VerifyResult,
  verifyDataset,
  verifyDirectory,
} from '@vitalwire/datasets';
import type { Command } from 'commander';
import { parseWhole } from '../duration.ts';
import { CliError } from '../errors.ts';
import { exitCodes, type Io, noteLine, printJson, printLine } from '../io.ts';
import { cacheOf, fetchRecordings } from '../recordings.ts';
import { resolveDataDir } from '../stack/data-dir.ts';
import { tableLines } from '../table.ts';
import { bytesText } from '../text.ts';

type Common = { data?: string; json?: boolean };
type FetchFlags = Common & { files: string[]; from?: string; mirror?: string; to?: string; parallel: number };

const dataHelp = 'data directory, whose catalogue/ adds data sets of your own (default: VITALWIRE_DATA, else ~/.vitalwire)';

/** The sub-commands of `vitalwire datasets` about collections: `list`, `where`, `fetch`, `verify`, `remove`. */
export function addCatalogueCommands(datasets: Command, io: Io): void {
  datasets
    .command('list [name]')
    .description('the data sets known by name, with licence and size; one of them whole')
    .option('--data <dir>', dataHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', listHelp)
    .action((name: string | undefined, options: Common) => list(io, name, options));
  datasets
    .command('where [name]')
    .description('where recordings are kept on this machine: the cache, the mirror, and the folder of each set')
    .option('--data <dir>', dataHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', whereHelp)
    .action((name: string | undefined, options: Common) => where(io, name, options));
  datasets
    .command('fetch <name>')
    .description('fetch a data set from its publisher, or go on where a fetch stopped; every file is compared with its checksum')
    .option('--files <pattern>', "only these paths, such as 'chb01/*.edf' or '*.txt'; may be given again", collect, [])
    .option('--mirror <url|dir>', 'copies of data sets, each in a folder of its name (default: VITALWIRE_DATASETS_MIRROR)')
    .option('--from <url|dir>', 'a copy of this set alone: an address, or a directory')
    .option('--to <dir>', 'where the files go (default: the cache, see where)')
    .option('--parallel <n>', 'files at once', parseWhole(1, fetchLimits.maxParallel), fetchLimits.usualParallel)
    .option('--data <dir>', dataHelp)
    .option('--json', 'the result as one JSON object')
    .addHelpText('after', fetchHelp)
    .action((name: string, options: FetchFlags) => fetch(io, name, options));
  datasets
    .command('verify [name|dir]')
    .description('read every byte that is here and compare it with the checksums; without a name, everything there is')
    .option('--data <dir>', dataHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', verifyHelp)
    .action((what: string | undefined, options: Common) => verify(io, what, options));
  datasets
    .command('remove <name>')
    .description('remove a fetched data set from the cache; a mirror is never touched')
    .option('--data <dir>', dataHelp)
    .option('--json', 'as JSON')
    .addHelpText('after', removeHelp)
    .action((name: string, options: Common) => remove(io, name, options));
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
      url: https://files.example.org/ward-7/     # optional; else fetch with --mirror or --from
      listing: SHA256SUMS.txt                     # or files: [{ path, sha256, bytes }]`;

const whereHelp = `
Examples:
  vitalwire datasets where
  vitalwire datasets where bonn

VITALWIRE_DATASETS names the cache: one folder of the user, shared by all checkouts and data directories. VITALWIRE_DATASETS_MIRROR names a mirror:
a folder (used as it is, never written to) or an address with a folder for each set; 'none' means none. A folder shared/data beside the checkout is
a mirror without being told. Exit code 1 if no file of the set asked for is here.`;

const removeHelp = `
Example:
  vitalwire datasets remove chb-mit

What the fetch brought goes, and what it left half done; files of other hands in that folder stay.`;

const fetchHelp = `
Examples:
  vitalwire datasets fetch bonn
  vitalwire datasets fetch chb-mit --files 'chb01/*'
  vitalwire datasets fetch siena --mirror /mnt/usb     (which has a folder siena)
  HTTPS_PROXY=http://proxy:3128 vitalwire datasets fetch chb-mit --to /data/chb-mit

Licence and citation are told when the first file of a set comes. Files lie under <name>.part until their checksum is right. Run it again to go on. The publisher's checksums are pinned in
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
  const entries = await Promise.all(wanted.map(async (dataset) => ({ ...dataset, holdings: await holdingsOf(dataset, places) })));
  if (options.json === true) {
    const told = entries.map(({ holdings: { cache, mirror }, ...entry }) => ({
      ...entry,
      here: { files: cache.files, of: cache.of, mirror: mirror?.directory ?? null, mirrorFiles: mirror?.files ?? 0 },
    }));
    printJson(io, name === undefined ? told : told[0]);
    return;
  }
  if (name === undefined) {
    const rows = entries.map((entry) => [entry.name, entry.size ?? '', hereText(entry.holdings), entry.licence, entry.title]);
    for (const line of tableLines([['NAME', 'SIZE', 'HERE', 'LICENCE', 'TITLE'], ...rows])) printLine(io, line);
    return;
  }
  for (const entry of entries) {
    for (const line of `${entry.title}\n${entry.about}`.trim().split('\n')) printLine(io, line);
    const rows = [
      ['licence', [entry.licence, entry.licenceUrl].filter(Boolean).join(', ')],
      ['cite', entry.citation],
      ['doi', entry.doi ?? ''],
      ['from', entry.url ?? 'name a copy with --mirror or --from'],
      ['size', entry.size ?? ''],
      [
        'checksums',
        entry.files === undefined
          ? `the publisher's ${entry.listing}, pinned when first fetched`
          : entry.origin === 'own'
            ? `of ${entry.definedIn}`
            : 'ours, computed from what was published',
      ],
      ['here', hereText(entry.holdings)],
    ];
    for (const line of tableLines(rows.filter(([, text]) => text !== ''))) printLine(io, line);
  }
}

async function fetch(io: Io, name: string, options: FetchFlags): Promise<void> {
  const places = placesOf(io, options.data);
  const dataset = datasetNamed(await readCatalogue(places.catalogue), name);
  if (options.to?.trim() === '') throw new CliError('WRONG_ARGUMENT', '--to is empty: name a directory');
  const own = options.mirror ?? options.from ?? options.to;
  const { cache, mirror: mirrored } = await holdingsOf(dataset, places);
  // A file in the cache counts before the mirror's: it is compared, and brought again where it is wrong.
  if (own === undefined && options.files.length === 0 && cache.files === 0 && mirrored !== null && isWhole(mirrored)) {
    const there = mirrored.directory;
    if (options.json === true) printJson(io, { dataset: name, directory: there, fetched: [], alreadyThere: [], failed: [] });
    else
      printLine(
        io,
        `${name} is in the mirror (${there}) and is used from there: nothing to fetch; --to copies it, VITALWIRE_DATASETS_MIRROR=none fetches it from the publisher`,
      );
    return;
  }
  const directory = path.resolve(options.to ?? cacheOf(dataset, places));
  if (options.files.length === 0 && dataset.size !== undefined) noteLine(io, `all of ${name}: ${dataset.size}; --files takes a part`);
  const { from, mirror, files, parallel } = options;
  const result = await fetchRecordings(io, { dataset, directory, from, mirror, files, parallel });
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
    const holdings = holdingFolders(await holdingsOf(dataset, places));
    for (const { directory } of holdings) results.push(await verifyDataset(dataset, directory, io.signal, show));
    if (holdings.length === 0 && named !== undefined)
      throw new CliError(
        'NOTHING_TO_VERIFY',
        `${named.name} is not in ${cacheOf(named, places)}; 'vitalwire datasets fetch ${named.name}' fetches it`,
      );
  }
  if (what === undefined && results.length === 0) noteLine(io, `no data set is here yet; 'vitalwire datasets list' names them`);
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

async function where(io: Io, name: string | undefined, options: Common): Promise<void> {
  const places = placesOf(io, options.data);
  const catalogue = await readCatalogue(places.catalogue);
  if (name !== undefined) {
    const holding = holdingFolders(await holdingsOf(datasetNamed(catalogue, name), places))[0];
    const directory = holding?.directory ?? null;
    if (options.json === true) printJson(io, { dataset: name, directory });
    else if (directory === null) noteLine(io, `${name} is not here; 'vitalwire datasets fetch ${name}' fetches it`);
    else printLine(io, directory);
    if (holding === undefined) io.exitCode(exitCodes.answerIsNo);
    else if (!isWhole(holding) && holding.of !== null) noteLine(io, `${holding.files} of ${holding.of} files of ${name} are there`);
    return;
  }
  const found: { dataset: string; directory: string }[] = [];
  for (const dataset of catalogue)
    for (const { directory } of holdingFolders(await holdingsOf(dataset, places))) found.push({ dataset: dataset.name, directory });
  const { cache, mirror } = places;
  const absent = mirrorFolder(places).some((folder) => !existsSync(folder)) ? ' (there is no such folder)' : '';
  if (options.json === true) printJson(io, { cache, mirror, datasets: found });
  else {
    const rows = [['cache', cache], ['mirror', `${mirror ?? 'none'}${absent}`], ...found.map((one) => [one.dataset, one.directory])];
    for (const line of tableLines(rows)) printLine(io, line);
  }
}

async function remove(io: Io, name: string, options: Common): Promise<void> {
  const places = placesOf(io, options.data);
  const dataset = datasetNamed(await readCatalogue(places.catalogue), name);
  const directory = cacheOf(dataset, places);
  const { files, bytes } = await removeDataset(directory, dataset);
  if (options.json === true) printJson(io, { dataset: name, directory, files, bytes });
  else
    printLine(
      io,
      files === 0
        ? `${name} is not in ${directory}: nothing to remove`
        : `${files} files (${bytesText(bytes)}) of ${name} removed from ${directory}`,
    );
  const { mirror } = await holdingsOf(dataset, places);
  if (mirror !== null) noteLine(io, `${mirror.directory} is a mirror and stays`);
}

type Places = RecordingPlaces & { readonly catalogue: string };

function placesOf(io: Io, data: string | undefined): Places {
  return { ...recordingPlaces(io.env), catalogue: path.join(resolveDataDir(data, io.env).root, 'catalogue') };
}

type Holding = FilesHere & { readonly directory: string };
type Holdings = { readonly cache: Holding; readonly mirror: Holding | null };

/** What the cache has of a set, and what a mirror that is a folder has: null where that is nothing. */
async function holdingsOf(dataset: Dataset, places: RecordingPlaces): Promise<Holdings> {
  const holding = async (directory: string): Promise<Holding> => ({ directory, ...(await filesHere(dataset, directory)) });
  const [mirror] = await Promise.all(mirrorFolder(places).map((folder) => holding(path.join(folder, dataset.name))));
  return { cache: await holding(cacheOf(dataset, places)), mirror: mirror === undefined || mirror.files === 0 ? null : mirror };
}

/** Folders with files of a set, whole ones first; of two alike the cache, whose files are read before the mirror's. */
function holdingFolders({ cache, mirror }: Holdings): Holding[] {
  const found = [cache, ...(mirror === null ? [] : [mirror])].filter(({ files }) => files > 0);
  return [...found.filter(isWhole), ...found.filter((one) => !isWhole(one))];
}

function hereText({ cache, mirror }: Holdings): string {
  if (isWhole(cache)) return 'all';
  if (mirror !== null && isWhole(mirror)) return 'mirror';
  const texts = [
    cache.files === 0 ? '' : partText(cache),
    mirror === null ? '' : mirror.of === null ? 'mirror' : `${partText(mirror)} in the mirror`,
  ];
  return texts.filter((text) => text !== '').join(', ') || 'no';
}

function partText({ files, of }: FilesHere): string {
  return of === null ? `${files} files` : `${files} of ${of} files`;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
