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
  readonly #tokenFile: string;
  readonly #bundleFile: string;
  /** PEM: what the control plane's certificate must chain to. */
  readonly trustBundle: string;
  readonly #withinMs: number | undefined;

  /** `withinMs`: for each answer; undefined: undici's own limits. @throws Failure when the token or the trust bundle cannot be read. */
  constructor(flags: ClientFlags, env: NodeJS.ProcessEnv, withinMs?: number) {
    this.#withinMs = withinMs;
    this.#server = (flags.server ?? (env.OUTRIDER_SERVER || DEFAULT_SERVER)).replace(/\/+$/, '');
    const ownFile = flags.dataDir === undefined ? env.OUTRIDER_ADMIN_TOKEN_FILE : undefined;
    this.#tokenFile = ownFile || join(flags.dataDir ?? defaultDataDir(env), 'admin-token');
    this.#token = readNeeded(this.#tokenFile, 'the admin token').trim();
    this.#bundleFile = env.OUTRIDER_CA_FILE || join(dirname(this.#tokenFile), 'trust-bundle.pem');
    this.trustBundle = readNeeded(this.#bundleFile, 'the trust bundle');
    this.#agent = new Agent({ connect: { ca: this.trustBundle } });
  }

  /** The answer's object, or undefined for 404. Warnings go to standard error. @throws Failure for any other refusal. */
  async find(path: string, accept?: string): Promise<object | undefined> {
    const { statusCode, value } = await this.#exchange('GET', path, accept === undefined ? {} : { accept });
    if (statusCode === 404) return undefined;
    if (statusCode >= 400) throw this.#refusal(statusCode, value as Status);
    return value;
  }

  /** @throws Failure */
  async call(method: Dispatcher.HttpMethod, path: string, options: CallOptions = {}): Promise<object> {
    const { statusCode, value } = await this.#exchange(method, path, options);
    if (statusCode >= 400) throw this.#refusal(statusCode, value as Status);
    return value;
  }

  /** Creates the object unless it is there, by somebody else's hand at the same moment too. @throws Failure */
  async ensure(path: string, collection: string, object: object): Promise<void> {
    if ((await this.find(path)) !== undefined) return;
    const { statusCode, value } = await this.#exchange('POST', collection, { body: object });
    if (statusCode >= 400 && statusCode !== 409) throw this.#refusal(statusCode, value as Status);
  }

  /** The events of a watch, until the server ends it. @throws Failure */
  async *watch(path: string, accept: string): AsyncGenerator<{ readonly type: string; readonly object: object }> {
    const { statusCode, body } = await this.#send('GET', path, { accept });
    if (statusCode >= 400) throw this.#refusal(statusCode, (await body.json()) as Status);
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
        ...(this.#withinMs === undefined ? {} : { signal: AbortSignal.timeout(this.#withinMs) }),
        headers: {
          authorization: `Bearer ${this.#token}`,
          accept: accept ?? 'application/json',
          ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
    } catch (error) {
      throw this.#unreached(error as NodeJS.ErrnoException);
    }
  }

  #unreached({ code = '', message }: NodeJS.ErrnoException): Failure {
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return new Failure(
        `the certificate of the control plane is not for ${this.#server}; reach it by another name, or start it with --name and this one`,
      );
    if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
      return new Failure(`${this.#server} shows a certificate that does not hold now (${message}); compare the clocks`);
    if (UNTRUSTED.has(code))
      return new Failure(
        `the certificate of ${this.#server} does not chain to ${this.#bundleFile} (${message}); give the trust bundle of that control plane by --data-dir or OUTRIDER_CA_FILE`,
      );
    return new Failure(
      `no control plane answers at ${this.#server} (${message}); \`outrider control-plane\` starts one, --server or OUTRIDER_SERVER says where another is`,
    );
  }

  #refusal(statusCode: number, status: Status): Failure {
    return statusCode === 401
      ? new Failure(
          `${this.#server} does not accept the token of ${this.#tokenFile} (${status.message}); give the admin token of that control plane by --data-dir or OUTRIDER_ADMIN_TOKEN_FILE`,
        )
      : failureOf(status);
  }
}

/** OpenSSL's verdicts on a chain, as Node names them. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);

const readNeeded = (path: string, what: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure(
      `cannot read ${what}: ${(error as Error).message}; \`outrider control-plane\` makes it where it runs, --data-dir (or OUTRIDER_ADMIN_TOKEN_FILE and OUTRIDER_CA_FILE) says where it is`,
    );
  }
};

/** `299 - "text"` to its text. */
const readWarning = (header: string): string => header.replace(/^299 - "(.*)"$/, '$1').replace(/\\(["\\])/g, '$1');
