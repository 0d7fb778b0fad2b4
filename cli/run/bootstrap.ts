import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, type ClientFlags } from '../client.ts';
import { defaultDataDir } from '../data-dir.ts';
import { requestToken } from '../token.ts';

/** The token serves once: from the first certificate on, the certificate renews itself. */
const TOKEN_SECONDS = 600;

export interface Bootstrap {
  readonly tokenFile: string;
  readonly caFile: string;
}

/** A token for this start, got with the admin token, in a private folder that goes with this process. @throws Failure */
export const bootstrap = async (
  flags: ClientFlags,
  account: { readonly serviceAccount: string; readonly namespace: string },
  env: NodeJS.ProcessEnv,
): Promise<Bootstrap> => {
  await using client = new Client(flags, env);
  const token = await requestToken(client, { ...account, duration: TOKEN_SECONDS });
  const folder = mkdtempSync(join(tmpdir(), 'outrider-run-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  return { tokenFile, caFile: env.OUTRIDER_CA_FILE || trustBundle(flags, env) };
};

/** Beside the admin token. */
const trustBundle = (flags: ClientFlags, env: NodeJS.ProcessEnv): string => {
  const own = flags.dataDir === undefined ? env.OUTRIDER_ADMIN_TOKEN_FILE : undefined;
  return join(own ? dirname(own) : (flags.dataDir ?? defaultDataDir(env)), 'trust-bundle.pem');
};
