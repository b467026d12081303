import { cleanLine, labelShort } from '@vitalwire/contract';
import { Box, render, Text } from 'ink';
import { createElement, type ReactElement } from 'react';
import { age } from '../text.ts';
import { certificateLine, pageUrl, type StackFile } from './stack-file.ts';
import { nothingKnown, type StackNumbers } from './stack-watch.ts';
import type { ServiceView } from './supervisor.ts';

/** The picture of a running stack in a terminal; `update` draws it anew. */
export type UpView = { update(part: { services?: readonly ServiceView[]; numbers?: StackNumbers; info?: StackFile }): void; close(): void };

type Props = { services: readonly ServiceView[]; numbers: StackNumbers; info: StackFile | null; nowMs: number };

export function showUpView(stdout: NodeJS.WriteStream, nowMs: () => number): UpView {
  let props: Props = { services: [], numbers: nothingKnown, info: null, nowMs: nowMs() };
  // Ink reads no keys here: Ctrl-C stays an ordinary signal, handled where all signals are.
  const ink = render(picture(props), { stdout, exitOnCtrlC: false, patchConsole: false });
  return {
    update: (part) => {
      props = { ...props, ...part, nowMs: nowMs() };
      ink.rerender(picture(props));
    },
    close: () => ink.unmount(),
  };
}

const marks: Readonly<Record<ServiceView['state'], { word: string; color: string }>> = {
  waiting: { word: '· waiting', color: 'gray' },
  starting: { word: '… starting', color: 'yellow' },
  ready: { word: '✓ ready', color: 'green' },
  restarting: { word: '↻ restarting', color: 'red' },
  stopping: { word: '… stopping', color: 'yellow' },
  stopped: { word: '· stopped', color: 'gray' },
  failed: { word: '✗ failed', color: 'red' },
};

function picture({ services, numbers, info, nowMs }: Props): ReactElement {
  return createElement(
    Box,
    { flexDirection: 'column' },
    line('title', 'Vitalwire', 'bold'),
    line('label', labelShort, 'dim'),
    line('gap-1', ' '),
    ...services.map((service) => serviceLine(service, nowMs)),
    line('gap-2', ' '),
    ...numberLines(numbers, nowMs).map((text, index) => line(`number-${index}`, text)),
    ...numbers.problems.map((text) => createElement(Text, { key: text, color: 'red', wrap: 'truncate-end' }, `  ! ${cleanLine(text)}`)),
    line('gap-3', ' '),
    ...(info === null ? [] : addressLines(info).map((text, index) => line(`address-${index}`, text))),
    line('end', 'Ctrl-C stops everything, in order', 'dim'),
  );
}

function line(key: string, text: string, style: 'bold' | 'dim' | 'plain' = 'plain'): ReactElement {
  return createElement(Text, { key, bold: style === 'bold', dimColor: style === 'dim' }, text);
}

function serviceLine({ name, state, restarts, lastCrash }: ServiceView, nowMs: number): ReactElement {
  const { word, color } = marks[state];
  const again = restarts === 0 ? '' : `${restarts} restart${restarts === 1 ? '' : 's'}`;
  const crash = lastCrash === null ? '' : `, last ended ${age(nowMs - lastCrash.atMs)} ago: ${cleanLine(lastCrash.reason)}`;
  return createElement(
    Box,
    { key: name },
    createElement(Text, null, `  ${name.padEnd(12)}`),
    createElement(Text, { color }, word.padEnd(14)),
    createElement(Text, { dimColor: true, wrap: 'truncate-end' }, again + crash),
  );
}

function numberLines({ chunksPerSecond, stats, gateway }: StackNumbers, nowMs: number): string[] {
  const rate = chunksPerSecond === null ? '--' : chunksPerSecond.toFixed(1);
  const commit = stats?.lastCommittedAtUs == null ? '--' : `${age(nowMs - stats.lastCommittedAtUs / 1000)} ago`;
  const outbox =
    gateway?.depthChunks == null
      ? '--'
      : `${gateway.depthChunks} chunks, oldest ${gateway.oldestAgeMs === null ? '--' : age(gateway.oldestAgeMs)}`;
  return [
    `  commits      ${rate} chunks/s, last ${commit}`,
    `  stored       ${stats === null ? '--' : `${stats.chunks} chunks, ${stats.samples} samples, ${stats.detections} detections, ${stats.quarantined} quarantined`}`,
    `  outbox       ${outbox}`,
  ];
}

function addressLines(info: StackFile): string[] {
  return [
    `  page         ${pageUrl(info)}`,
    `               ${certificateLine(info)}`,
    `  intake       ${info.urls.intake}`,
    `  front door   ${info.urls.frontDoor}`,
    `  data         ${info.dataDir}`,
  ];
}
