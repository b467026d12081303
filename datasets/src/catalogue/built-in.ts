import { bundledFiles } from '../bundled-file.ts';
import { type Dataset, publisherListing } from './entry.ts';

const physioNet =
  'A. L. Goldberger et al.: PhysioBank, PhysioToolkit, and PhysioNet: components of a new research resource for complex physiologic signals. Circulation 101(23):e215-e220, 2000.';

/**
 * What we know by name. The checksums of the bundled files are ours, measured; those of the two PhysioNet collections are the publisher's: they
 * are read from the listing beside the files when first fetched, and pinned then. The sizes of the two are commonly told, not measured.
 */
export const builtInDatasets: readonly Dataset[] = [
  {
    name: 'bonn',
    title: 'Bonn EEG time series, segments 001-080 of five sets',
    licence: 'CC BY 4.0',
    licenceUrl: 'https://creativecommons.org/licenses/by/4.0/',
    citation:
      'R. G. Andrzejak, K. Lehnertz, F. Mormann, C. Rieke, P. David, C. E. Elger: Indications of nonlinear deterministic and finite-dimensional structures in time series of brain electrical activity: dependence on recording region and brain state. Physical Review E 64, 061907, 2001. doi:10.1103/PhysRevE.64.061907',
    doi: '10.34810/data490',
    about:
      'Single-channel segments of 23.6 s at 173.61 Hz: scalp EEG of healthy people, intracranial EEG of patients between and in seizures. Part of this software.',
    files: Object.entries(bundledFiles)
      .filter(([path]) => path.startsWith('bonn/'))
      .map(([path, sha256]) => ({ path: path.slice('bonn/'.length), sha256 })),
    origin: 'bundled',
    definedIn: null,
  },
  {
    name: 'chb-mit',
    title: 'CHB-MIT Scalp EEG Database 1.0.0',
    licence: 'Open Data Commons Attribution License 1.0',
    licenceUrl: 'https://opendatacommons.org/licenses/by/1-0/',
    citation: `J. Guttag: CHB-MIT Scalp EEG Database (version 1.0.0). PhysioNet, 2010. doi:10.13026/C2K01R. A. Shoeb: Application of machine learning to epileptic seizure onset detection and treatment. PhD thesis, MIT, 2009. ${physioNet}`,
    doi: '10.13026/C2K01R',
    about:
      'Scalp EEG of 22 children with seizures that drugs did not stop, 23 cases, 256 Hz, mostly 23 bipolar channels; onsets and ends of the seizures marked.',
    size: 'about 43 GB',
    url: 'https://physionet.org/files/chbmit/1.0.0/',
    listing: publisherListing,
    origin: 'built-in',
    definedIn: null,
  },
  {
    name: 'siena',
    title: 'Siena Scalp EEG Database 1.0.0',
    licence: 'Open Data Commons Attribution License 1.0',
    licenceUrl: 'https://opendatacommons.org/licenses/by/1-0/',
    citation: `P. Detti: Siena Scalp EEG Database (version 1.0.0). PhysioNet, 2020. doi:10.13026/5d4a-j060. ${physioNet}`,
    doi: '10.13026/5d4a-j060',
    about: 'Scalp EEG of 14 patients with focal epilepsy, 512 Hz, 29 or more channels; a list of seizures per patient.',
    size: 'about 20 GB',
    url: 'https://physionet.org/files/siena-scalp-eeg/1.0.0/',
    listing: publisherListing,
    origin: 'built-in',
    definedIn: null,
  },
];
