import { InvalidArgumentError } from 'commander';
import { actingUser } from '../acting-user.ts';
import { addConnectOptions, type ConnectOptions, connect } from '../connect.ts';
import { type AddCommand, canShowWall, type Io, printLine, printText } from '../io.ts';

type WatchOptions = ConnectOptions & {
  snapshot?: boolean;
  plain?: boolean;
  ascii?: boolean;
  size?: Size;
  by?: string;
  bell: boolean;
  flash: boolean;
};
type Size = { readonly width: number; readonly height: number };

/** `vitalwire watch`: the clinician's wall in a terminal. */
export const addCommand: AddCommand = (program, io) => {
  addConnectOptions(program.command('watch'))
    .description("the clinician's wall: every patient's state, and one patient's live EEG")
    .option('--snapshot', 'print one frame as text and exit')
    .option('--size <columns x rows>', 'size of the snapshot, 120x32 (default: the terminal, else 100x30)', parseSize)
    .option('--plain', 'one line per event instead of a screen; the default when the output is no terminal, or TERM is dumb')
    .option('--by <id>', 'who acknowledges and pauses here (default: VITALWIRE_USER, else your user name)')
    .option('--no-bell', 'no sound')
    .option('--no-flash', 'alarms do not flash')
    .option('--ascii', 'no symbols, no braille')
    .addHelpText(
      'after',
      `
Examples:
  vitalwire watch                         the wall of the stack on this machine
  vitalwire watch --snapshot > wall.txt   one frame as text
  vitalwire watch --plain | tee ward.log  one line per event

Keys on the wall: arrows or j k select, enter shows one patient alone, a acknowledges the worst alarm, A all of them,
p pauses the sound for 120 s and P ends that, m switches the bell, ? help, q quit. Alarms may be late, false or missing.
Predictions are not a diagnosis.`,
    )
    .action((options: WatchOptions) => watch(io, options));
};

async function watch(io: Io, options: WatchOptions): Promise<void> {
  const client = await connect(io, options);
  try {
    const { runPlain, runWall, takeSnapshot } = await import('@vitalwire/tui');
    const unicode = options.ascii === true ? { unicode: false } : {};
    const { env, signal } = io;
    if (options.snapshot === true) {
      const size = options.size ?? sizeOf(io);
      printText(io, (await takeSnapshot({ client, env, signal, ...size, ...unicode })).replace(/\n$/, ''));
    } else if (options.plain === true || !canShowWall(io)) {
      await runPlain({ client, signal, write: (line) => printLine(io, line) });
    } else {
      await runWall({ client, env, signal, by: actingUser(io, options.by), bell: options.bell, steady: !options.flash, ...unicode });
    }
  } finally {
    await client.close();
  }
}

function sizeOf(io: Io): Size {
  const { columns, rows } = io.stdout as { columns?: number; rows?: number };
  return { width: columns ?? 100, height: rows ?? 30 };
}

function parseSize(text: string): Size {
  const [, width, height] = /^(\d{2,4})x(\d{1,4})$/.exec(text) ?? [];
  if (width === undefined || height === undefined || Number(width) < 40 || Number(height) < 10)
    throw new InvalidArgumentError('expected columns x rows, at least 40x10: 120x32');
  return { width: Number(width), height: Number(height) };
}
