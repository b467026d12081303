import { AgentStatus } from '@vitalwire/contract';
import { HttpClient } from '@vitalwire/runtime';
import { readToken, type StackFile } from './stack-file.ts';

/** Asks the edge agent itself; null if it does not answer. */
export async function askAgent(info: StackFile): Promise<AgentStatus | null> {
  const agent = new HttpClient({
    baseUrl: info.urls.intake,
    token: readToken(info.edgeTokenPath),
    caPath: info.caPath,
    timeoutMs: 3_000,
    acceptExpired: true,
  });
  try {
    return await agent.getJson('/v1/status', AgentStatus);
  } catch {
    return null;
  } finally {
    await agent.close();
  }
}
