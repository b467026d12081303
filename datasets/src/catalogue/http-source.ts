import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { DatasetError } from '../dataset-error.ts';
import { codeOf, type FileSource, type OpenedFile, PassingFailure } from './file-source.ts';

export type HttpSourceOptions = {
  /** The environment whose HTTP_PROXY, HTTPS_PROXY and NO_PROXY count. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long the server may be silent, at the start or in the middle. */
  readonly silenceMs: number;
  readonly connections: number;
  /** Files whose address is not the base's with their path behind it. */
  readonly addresses?: ReadonlyMap<string, string>;
  /** Authorities to trust instead of the usual ones, in PEM. */
  readonly ca?: string;
};

const MAX_REDIRECTS = 5;
/** A server that asks for more patience than this is asked again then. */
const MAX_WAIT_MS = 60_000;

/** Files below an address. Ranges, entity tags, redirects and proxies are understood; passing failures are told apart from lasting ones. */
export function httpSource(baseUrl: string, options: HttpSourceOptions): FileSource {
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  const name = nameOf(base);
  const agent = proxyAgent(options);
  return {
    name,
    async open(path, from, validator, signal) {
      const url = new URL(options.addresses?.get(path) ?? path.split('/').map(encodeURIComponent).join('/'), base);
      const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'vitalwire' };
      if (base.username !== '') headers['authorization'] = basic(base);
      if (from > 0) {
        headers['range'] = `bytes=${from}-`;
        if (validator !== null) headers['if-range'] = validator;
      }
      url.username = '';
      url.password = '';
      const answer = await follow(url, headers, agent, options.silenceMs, signal);
      return await openedFrom(answer, url, from);
    },
    close: () => agent.destroy(),
  };
}

function proxyAgent({ env, connections, ca, silenceMs }: HttpSourceOptions): EnvHttpProxyAgent {
  const trust = ca === undefined ? {} : { connect: { ca }, requestTls: { ca } };
  return new EnvHttpProxyAgent({
    ...trust,
    connections,
    connectTimeout: silenceMs,
    // An empty string, not undefined: then undici would look into the process's own environment.
    httpProxy: env['http_proxy'] ?? env['HTTP_PROXY'] ?? '',
    httpsProxy: env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '',
    noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
  });
}

async function follow(
  start: URL,
  headers: Readonly<Record<string, string>>,
  dispatcher: Dispatcher,
  silenceMs: number,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  let url = start;
  let sent = headers;
  for (let redirects = 0; ; redirects++) {
    const answer = await request(url, { dispatcher, headers: sent, signal, headersTimeout: silenceMs, bodyTimeout: silenceMs }).catch(
      (cause: unknown) => {
        signal.throwIfAborted();
        throw unreachable(url, cause);
      },
    );
    const location = answer.headers['location'];
    if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== 'string') return answer;
    await drop(answer);
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
    if (redirects === MAX_REDIRECTS) throw refused(url, `more than ${MAX_REDIRECTS} redirects`);
    if (next === null || !/^https?:$/.test(next.protocol)) throw refused(url, `a redirect to ${JSON.stringify(location.slice(0, 200))}`);
    if (url.protocol === 'https:' && next.protocol === 'http:')
      throw refused(url, `a redirect from https to ${nameOf(next)}, where anybody could change it`);
    if (next.origin !== url.origin) sent = Object.fromEntries(Object.entries(sent).filter(([header]) => header !== 'authorization'));
    url = next;
  }
}

async function openedFrom(answer: Dispatcher.ResponseData, url: URL, from: number): Promise<OpenedFile> {
  const { statusCode, headers, body } = answer;
  if (statusCode === 416 && from > 0) {
    // Nothing is left behind `from`: the part is whole, or longer than the file is now.
    const total = Number(/^bytes \*\/(\d+)$/.exec(String(headers['content-range']))?.[1] ?? Number.NaN);
    await drop(answer);
    if (total === from) return { startsAt: from, totalBytes: total, validator: null, body: nothing() };
    throw new RangeGone(`${nameOf(url)} has fewer bytes than were there before`);
  }
  if (statusCode !== 200 && statusCode !== 206) {
    await drop(answer);
    throw failureOf(statusCode, url, headers['retry-after']);
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    await drop(answer);
    throw refused(url, `an answer packed with ${String(encoding)}, which was not asked for`);
  }
  const validator = validatorOf(headers);
  if (statusCode === 200) return { startsAt: 0, totalBytes: lengthOf(headers['content-length']), validator, body };
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(String(headers['content-range']));
  if (range === null || Number(range[1]) !== from) {
    await drop(answer);
    throw new RangeGone(`${nameOf(url)} answered ${JSON.stringify(headers['content-range'])} when asked for bytes from ${from}`);
  }
  return { startsAt: from, totalBytes: range[3] === '*' ? null : Number(range[3]), validator, body };
}

/** The part that is there cannot be continued; from the beginning it may work. */
export class RangeGone extends PassingFailure {}

function failureOf(status: number, url: URL, retryAfter: unknown): Error {
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(retryAfter);
    return new PassingFailure(
      `${nameOf(url)} answered ${status}`,
      Number.isFinite(seconds) ? Math.min(seconds * 1_000, MAX_WAIT_MS) : null,
    );
  }
  const next =
    status === 404 || status === 410
      ? 'the file is not there'
      : status === 401 || status === 403
        ? 'it wants a permission'
        : 'no answer we can use';
  return refused(url, `${status}: ${next}`);
}

function refused(url: URL, why: string): DatasetError {
  return new DatasetError('SOURCE_REFUSED', `${nameOf(url)} answered ${why}`);
}

function unreachable(url: URL, cause: unknown): Error {
  // undici wraps what the network said.
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const code = codeOf(inner) === 'unknown reason' ? codeOf(cause) : codeOf(inner);
  const said = cause instanceof Error ? cause.message : String(cause);
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return new DatasetError(
      'SOURCE_REFUSED',
      `the certificate of ${url.origin} is not trusted (${code}); where a proxy opens connections, name its authority with NODE_EXTRA_CA_CERTS`,
      { cause },
    );
  const detail = code === 'unknown reason' ? said : code.startsWith('UND_ERR') ? `${said}, ${code}` : code;
  return new PassingFailure(`${url.origin} cannot be reached (${detail})`, null, { cause });
}

/** Only a strong tag may join two answers; a date serves where there is none. */
function validatorOf(headers: Dispatcher.ResponseData['headers']): string | null {
  const tag = headers['etag'];
  if (typeof tag === 'string' && tag.startsWith('"')) return tag;
  const modified = headers['last-modified'];
  return typeof modified === 'string' ? modified : null;
}

function lengthOf(header: unknown): number | null {
  const bytes = Number(header);
  return header !== undefined && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null;
}

function basic(url: URL): string {
  return `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`;
}

/** The address without user and password. */
function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

async function drop(answer: Dispatcher.ResponseData): Promise<void> {
  await answer.body.dump({ limit: 64 * 1024 }).catch(() => {}); // nobody wants it
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
