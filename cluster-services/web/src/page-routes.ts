import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { Api } from '@vitalwire/runtime';

// No inline scripts or styles, nothing from elsewhere, never inside another page. The token travels in the fragment, so no referrer.
const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
} as const;

/** Where `vite build` puts the page, from source and from dist alike. */
export function builtPageDir(): string {
  return fileURLToPath(new URL('../dist/page/', import.meta.url));
}

/** Serves the page; it holds no data, so it needs no token. Without a build the root says what to do, and everything else works. */
export async function addPageRoutes(api: Api, pageDir: string): Promise<void> {
  api.addHook('onSend', async (_request, reply) => {
    for (const [name, value] of Object.entries(securityHeaders)) void reply.header(name, value);
  });
  if (!existsSync(pageDir)) {
    api.get('/', { config: { public: true } }, (_request, reply) =>
      reply
        .code(503)
        .type('text/plain; charset=utf-8')
        .send('The page has not been built: run "npm run build". The API and the terminal wall work without it.\n'),
    );
    return;
  }
  await api.register(fastifyStatic, {
    root: pageDir,
    cacheControl: false,
    setHeaders: (response, path) => {
      // Assets carry a hash in their name; the page itself does not.
      void response.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
