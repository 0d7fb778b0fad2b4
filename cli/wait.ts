import { type Command, InvalidArgumentError, Option } from 'commander';
import { request } from 'undici';
import { parseDuration } from '../common/duration.ts';
import { Failure, report } from './failure.ts';
import { SIDECAR_PORTS } from './inject/ports.ts';

interface WaitFlags {
  readonly url: string;
  /** Milliseconds. */
  readonly timeout: number;
}

const PAUSE_MS = 100;
const DEFAULT_TIMEOUT_MS = 60_000;

/** `outrider wait`: until a sidecar is ready. Holds an app back whose sidecar starts beside it. Istio: `pilot-agent wait`. */
export const registerWait = (program: Command): void => {
  program
    .command('wait')
    .summary('until a sidecar is ready')
    .description('Waits until a sidecar is ready: it has a certificate and a configuration.')
    .option('--url <url>', 'where it says so', `http://127.0.0.1:${SIDECAR_PORTS.metrics}/healthz/ready`)
    .addOption(
      new Option('--timeout <duration>', 'how long at most').argParser(parseTimeout).default(DEFAULT_TIMEOUT_MS, '60s'),
    )
    .addHelpText('after', '\nExample:\n  outrider wait --timeout 10s\n')
    .action(async ({ url, timeout }: WaitFlags) => {
      const last = await waitUntilReady(url, timeout);
      if (last !== undefined) report(new Failure(`the sidecar was not ready in time: ${last}`));
    });
};

/** Undefined, or what was the matter at last. */
const waitUntilReady = async (url: string, timeoutMs: number): Promise<string | undefined> => {
  const signal = AbortSignal.timeout(timeoutMs);
  let last = 'it did not answer';
  for (;;) {
    try {
      const { statusCode, body } = await request(url, { signal });
      const text = (await body.text()).trim();
      if (statusCode === 200) return undefined;
      last = text;
    } catch (error) {
      if (signal.aborted) return last;
      last = (error as Error).message;
    }
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
    if (signal.aborted) return last;
  }
};

const parseTimeout = (text: string): number => {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 10s or 5m.');
  return ms;
};
