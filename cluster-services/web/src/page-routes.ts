import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { Api } from '@vitalwire/runtime';
import { z } from 'zod';

// No inline scripts or styles, nothing from elsewhere, never inside another page. The token travels in the fragment, so no referrer.
const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
} as const;

// What the page is made of.
const assetTypes = ['text/javascript', 'application/javascript', 'text/css', 'image/svg+xml', 'image/png', 'font/woff2'];

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
    api.get('/', { config: { public: true, otherAnswers: { 503: ['text/plain'] } } }, (_request, reply) =>
      reply
        .code(503)
        .type('text/plain; charset=utf-8')
        .send('The page has not been built: run "npm run build". The API and the terminal wall work without it.\n'),
    );
    return;
  }
  await api.register(fastifyStatic, { root: pageDir, serve: false, cacheControl: false });
  api.get('/', { config: { public: true, otherAnswers: { 200: ['text/html'] } } }, (_request, reply) =>
    reply.header('cache-control', 'no-cache').sendFile('index.html'),
  );
  // Assets carry a hash in their name, so a browser may keep them.
  api.get(
    '/assets/:file',
    {
      config: { public: true, otherAnswers: { 200: assetTypes } },
      schema: { params: z.object({ file: z.string().regex(/^[\w.-]{1,128}$/) }) },
    },
    (request, reply) =>
      reply.header('cache-control', 'public, max-age=31536000, immutable').sendFile(request.params.file, join(pageDir, 'assets')),
  );
}
