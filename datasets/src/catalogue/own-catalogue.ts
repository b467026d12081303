import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { DatasetError } from '../dataset-error.ts';
import { builtInDatasets } from './built-in.ts';
import { CatalogueFile, type Dataset } from './entry.ts';

const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** Everything known by name: our own entries, then those of the `.yaml`, `.yml` and `.json` files in a directory, which may not be there. */
export async function readCatalogue(directory: string | null): Promise<readonly Dataset[]> {
  const datasets = [...builtInDatasets];
  for (const file of directory === null ? [] : await catalogueFiles(directory)) {
    for (const entry of await readCatalogueFile(file)) {
      const same = datasets.find(({ name }) => name === entry.name);
      if (same !== undefined)
        throw new DatasetError(
          'CATALOGUE_MALFORMED',
          `${file}: the name ${entry.name} is taken by ${same.definedIn ?? 'our own catalogue'}; choose another`,
        );
      datasets.push(entry);
    }
  }
  return datasets;
}

/** One catalogue file; an error names the file, the place in it, what was found and what was expected, for every problem at once. */
export async function readCatalogueFile(file: string): Promise<Dataset[]> {
  const text = await readFile(file, 'utf8');
  if (text.length > MAX_FILE_BYTES) throw new DatasetError('CATALOGUE_MALFORMED', `${file} is larger than ${MAX_FILE_BYTES} bytes`);
  const checked = CatalogueFile.safeParse(parseText(text, file), { reportInput: true });
  if (checked.success) return checked.data.datasets.map((entry) => ({ ...entry, origin: 'own', definedIn: file }));
  const problems = checked.error.issues.map((issue) => {
    const found = typeof issue.input === 'object' ? '' : `, found ${JSON.stringify(issue.input) ?? 'nothing'}`;
    return `${issue.path.join('.') || 'the file'}: ${issue.message}${found}`;
  });
  throw new DatasetError('CATALOGUE_MALFORMED', `${file}: ${problems.join('; ')}`);
}

/** The entry of a name; an error lists the names there are. */
export function datasetNamed(catalogue: readonly Dataset[], name: string): Dataset {
  const found = catalogue.find((dataset) => dataset.name === name);
  if (found === undefined)
    throw new DatasetError('DATASET_UNKNOWN', `${JSON.stringify(name)}; known are ${catalogue.map((dataset) => dataset.name).join(', ')}`);
  return found;
}

async function catalogueFiles(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .sort()
      .map((name) => join(directory, name));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw cause;
  }
}

function parseText(text: string, file: string): unknown {
  try {
    return file.endsWith('.json') ? JSON.parse(text) : parseYaml(text, { maxAliasCount: 100 });
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new DatasetError('CATALOGUE_MALFORMED', `${file}: ${reason}`, { cause });
  }
}
