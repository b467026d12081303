import { Client } from '@vitalwire/client';
import { ScreenWorld } from '@vitalwire/testkit/screen-world';
import { afterEach } from 'vitest';

export let world: ScreenWorld;
export const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await world.stop();
});

export async function connected(): Promise<Client> {
  const client = await Client.connect({ url: world.url, token: world.token, caPath: world.caPath });
  closers.push(() => client.close());
  return client;
}

/** The world of a test: storage, front door, web and whatever it plays. */
export async function startWorld(options?: Parameters<typeof ScreenWorld.start>[0]): Promise<void> {
  world = await ScreenWorld.start(options);
}
