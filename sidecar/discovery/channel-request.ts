/** One request to the sidecar channel of a control plane, on a connection of its own. */
import type { Dispatcher } from 'undici';
import { type Refusal, refuse } from '../../certs/refusal.ts';
import { type ControlPlaneTls, controlPlaneTls } from './control-plane-tls.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 1_048_576;

export interface ChannelAnswer {
  readonly status: number;
  readonly text: string;
}

/** `what`: for the sentence of a refusal. Never rejects. */
export const channelRequest = async (
  url: string,
  tls: ControlPlaneTls,
  what: string,
  request: Dispatcher.RequestOptions,
): Promise<ChannelAnswer | Refusal<'unreachable'>> => {
  // Loaded when it is needed: a sidecar that finds its certificate in the state folder starts without it.
  const { Client } = await import('undici');
  const client = new Client(new URL(url).origin, {
    connect: { ...controlPlaneTls(tls), timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  try {
    const { statusCode, body } = await client.request(request);
    return { status: statusCode, text: await body.text() };
  } catch (error) {
    return refuse('unreachable', `No ${what} from ${url}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await client.destroy();
  }
};
