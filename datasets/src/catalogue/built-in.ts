import { bonnContents } from '../bonn/archive.ts';
import { type Dataset, publisherListing } from './entry.ts';

const physioNet =
  'A. L. Goldberger et al.: PhysioBank, PhysioToolkit, and PhysioNet: components of a new research resource for complex physiologic signals. Circulation 101(23):e215-e220, 2000.';

/** Where the author of the Bonn collection keeps its archives; each has an address of its own. */
const bonnArchives = {
  Z: 'Z.zip/9c4a0084-c0d6-3cf6-fe48-8a8767713e67',
  O: 'O.zip/f324f98f-1ade-e912-b89d-e313ac362b6a',
  N: 'N.zip/d4f08e2d-3b27-1a6a-20fe-96dcf644902b',
  F: 'F.zip/8219dcdd-d184-0474-e0e9-1ccbba43aaee',
  S: 'S.zip/7647d3f7-c6bb-6d72-57f7-8f12972896a6',
} as const;
const bonnHome = 'https://www.upf.edu/documents/229517819/234490509/';

const physioNetLicence = {
  licence: 'Open Data Commons Attribution License 1.0',
  licenceUrl: 'https://opendatacommons.org/licenses/by/1-0/',
};

/**
 * What we know by name; none of it is part of this software. The checksums of Bonn's segments are ours, computed from the published texts; those
 * of the PhysioNet collections are the publisher's: they are read from the listing beside the files when first fetched, and pinned then. Their sizes
 * are commonly told, not measured.
 */
export const builtInDatasets: readonly Dataset[] = [
  {
    name: 'bonn',
    title: 'Bonn EEG time series, five sets of 100 segments',
    licence: 'CC BY 4.0',
    licenceUrl: 'https://creativecommons.org/licenses/by/4.0/',
    citation:
      'R. G. Andrzejak, K. Lehnertz, F. Mormann, C. Rieke, P. David, C. E. Elger: Indications of nonlinear deterministic and finite-dimensional structures in time series of brain electrical activity: dependence on recording region and brain state. Physical Review E 64, 061907, 2001. doi:10.1103/PhysRevE.64.061907',
    doi: '10.34810/data490',
    about:
      'Single-channel segments of 23.6 s at 173.61 Hz: scalp EEG of healthy people, intracranial EEG of patients between and in seizures. The detector was trained on segments 001-064. If the server asks for a browser, save the five archives into a folder bonn and name the folder above it with --mirror.',
    size: 'about 3 MB',
    url: bonnHome,
    files: Object.entries(bonnArchives).map(([set, place]) => ({
      path: `${set}.zip`,
      url: `${bonnHome}${place}`,
      sha256: bonnContents[set as keyof typeof bonnContents],
      contents: 'bonn-segments' as const,
    })),
    origin: 'built-in',
    definedIn: null,
  },
  {
    name: 'chb-mit',
    title: 'CHB-MIT Scalp EEG Database 1.0.0',
    ...physioNetLicence,
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
    ...physioNetLicence,
    citation: `P. Detti: Siena Scalp EEG Database (version 1.0.0). PhysioNet, 2020. doi:10.13026/5d4a-j060. ${physioNet}`,
    doi: '10.13026/5d4a-j060',
    about: 'Scalp EEG of 14 patients with focal epilepsy, 512 Hz, 29 or more channels; a list of seizures per patient.',
    size: 'about 20 GB',
    url: 'https://physionet.org/files/siena-scalp-eeg/1.0.0/',
    listing: publisherListing,
    origin: 'built-in',
    definedIn: null,
  },
  {
    name: 'sleep-edf',
    title: 'Sleep-EDF Database Expanded 1.0.0',
    ...physioNetLicence,
    citation: `B. Kemp, A. H. Zwinderman, B. Tuk, H. A. C. Kamphuisen, J. J. L. Oberye: Analysis of a sleep-dependent neuronal feedback loop: the slow-wave microcontinuity of the EEG. IEEE Transactions on Biomedical Engineering 47(9):1185-1194, 2000. Sleep-EDF Database Expanded (version 1.0.0). PhysioNet, 2013. doi:10.13026/C2X676. ${physioNet}`,
    doi: '10.13026/C2X676',
    about: '197 whole nights: EEG, EOG, chin EMG and event markers, with the sleep stages somebody scored.',
    size: 'about 8 GB',
    url: 'https://physionet.org/files/sleep-edfx/1.0.0/',
    listing: publisherListing,
    origin: 'built-in',
    definedIn: null,
  },
  {
    name: 'mitdb',
    title: 'MIT-BIH Arrhythmia Database 1.0.0',
    ...physioNetLicence,
    citation: `G. B. Moody, R. G. Mark: The impact of the MIT-BIH Arrhythmia Database. IEEE Engineering in Medicine and Biology 20(3):45-50, 2001. MIT-BIH Arrhythmia Database (version 1.0.0). PhysioNet, 2005. doi:10.13026/C2F305. ${physioNet}`,
    doi: '10.13026/C2F305',
    about: '48 half-hour ECG recordings with every beat marked. The beats of record 100 (100.atr) are the heart of replayed Bonn patients.',
    size: 'about 100 MB',
    url: 'https://physionet.org/files/mitdb/1.0.0/',
    listing: publisherListing,
    origin: 'built-in',
    definedIn: null,
  },
];
