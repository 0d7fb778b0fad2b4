/** The control plane's REST API, as the commands use it. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { Agent, type Dispatcher, request } from 'undici';
import type { Status } from '../control-plane/rest/status.ts';
import { defaultDataDir } from './data-dir.ts';
import { Failure, failureOf } from './failure.ts';

const DEFAULT_SERVER = 'https://127.0.0.1:15010';

export interface ClientFlags {
  readonly server?: string;
  readonly dataDir?: string;
}

/** Adds the flags that say which control plane is meant. */
export const addClientFlags = (command: Command): Command =>
  command
    .option('--server <url>', `the control plane (OUTRIDER_SERVER; default: ${DEFAULT_SERVER})`)
    .option('--data-dir <folder>', 'where its admin token and trust bundle are (OUTRIDER_DATA_DIR)');

export interface CallOptions {
  readonly body?: object;
  readonly contentType?: string;
  readonly accept?: string;
}

/** Owned by one command; ends with it. */
export class Client implements AsyncDisposable {
  readonly #server: string;
  readonly #agent: Agent;
  readonly #token: string;

  /** @throws Failure when the token or the trust bundle cannot be read. */
  constructor(flags: ClientFlags, env: NodeJS.ProcessEnv) {
    this.#server = (flags.server ?? (env.OUTRIDER_SERVER || DEFAULT_SERVER)).replace(/\/+$/, '');
    const ownFile = flags.dataDir === undefined ? env.OUTRIDER_ADMIN_TOKEN_FILE : undefined;
    const tokenFile = ownFile || join(flags.dataDir ?? defaultDataDir(env), 'admin-token');
    this.#token = readNeeded(tokenFile, 'the admin token').trim();
    const bundleFile = env.OUTRIDER_CA_FILE || join(dirname(tokenFile), 'trust-bundle.pem');
    this.#agent = new Agent({ connect: { ca: readNeeded(bundleFile, 'the trust bundle') } });
  }

  /** The answer's object, or undefined for 404. Warnings go to standard error. @throws Failure for any other refusal. */
  async find(path: string, accept?: string): Promise<object | undefined> {
    const { statusCode, value } = await this.#exchange('GET', path, accept === undefined ? {} : { accept });
    if (statusCode === 404) return undefined;
    if (statusCode >= 400) throw failureOf(value as Status);
    return value;
  }

  /** @throws Failure */
  async call(method: Dispatcher.HttpMethod, path: string, options: CallOptions = {}): Promise<object> {
    const { statusCode, value } = await this.#exchange(method, path, options);
    if (statusCode >= 400) throw failureOf(value as Status);
    return value;
  }

  /** The events of a watch, until the server ends it. @throws Failure */
  async *watch(path: string, accept: string): AsyncGenerator<{ readonly type: string; readonly object: object }> {
    const { statusCode, body } = await this.#send('GET', path, { accept });
    if (statusCode >= 400) throw failureOf((await body.json()) as Status);
    let rest = '';
    for await (const chunk of body.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as { type: string; object: object };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #exchange(method: Dispatcher.HttpMethod, path: string, options: CallOptions) {
    const { statusCode, headers, body } = await this.#send(method, path, options);
    for (const warning of [headers.warning ?? []].flat()) process.stderr.write(`Warning: ${readWarning(warning)}\n`);
    const text = await body.text();
    try {
      return { statusCode, value: JSON.parse(text) as object };
    } catch {
      throw new Failure(`${this.#server} answers ${statusCode} without JSON: is it a control plane?`);
    }
  }

  async #send(method: Dispatcher.HttpMethod, path: string, { body, contentType, accept }: CallOptions) {
    try {
      return await request(this.#server + path, {
        method,
        dispatcher: this.#agent,
        bodyTimeout: 0,
        headers: {
          authorization: `Bearer ${this.#token}`,
          accept: accept ?? 'application/json',
          ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
    } catch (error) {
      throw new Failure(
        `no control plane answers at ${this.#server} (${(error as Error).message}); \`outrider control-plane\` starts one`,
      );
    }
  }
}

const readNeeded = (path: string, what: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(
      `cannot read ${what}: ${(error as Error).message}; give --data-dir, or OUTRIDER_ADMIN_TOKEN_FILE and OUTRIDER_CA_FILE`,
    );
  }
};

/** `299 - "text"` to its text. */
const readWarning = (header: string): string => header.replace(/^299 - "(.*)"$/, '$1').replace(/\\(["\\])/g, '$1');
