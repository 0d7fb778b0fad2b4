import { type Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import { NAMESPACE } from '../api/namespace.ts';
import type { ApiObject } from '../api/object.ts';
import type { ResourceKind } from '../api/resource-kind.ts';
import { SERVICE_ACCOUNT } from '../api/service-account.ts';
import type { TokenRequest } from '../api/token-request.ts';
import { parseDuration } from '../common/duration.ts';
import { addClientFlags, Client, type ClientFlags } from './client.ts';
import { report } from './failure.ts';
import { tokenSecretName } from './inject/names.ts';
import { collectionPath, objectPath } from './resource-names.ts';

interface TokenFlags extends ClientFlags {
  readonly serviceAccount: string;
  readonly namespace: string;
  /** Seconds. */
  readonly duration: number;
  readonly audience?: readonly string[];
  readonly output: 'token' | 'secret';
}

const DEFAULT_SECONDS = 3_600;

/** `outrider token`: a bootstrap token, alone on standard output, or as the Secret that an injected pod mounts. Makes the Namespace and the ServiceAccount where they are missing. */
export const registerToken = (program: Command): void => {
  addClientFlags(
    program
      .command('token')
      .summary('a bootstrap token for a sidecar')
      .description(
        'Prints a token with which a sidecar gets its first certificate. Makes the namespace and the account where they are missing.',
      )
      .requiredOption('--service-account <name>', 'whose token')
      .option('-n, --namespace <name>', 'its namespace', 'default')
      .option('--duration <duration>', 'how long it holds: 10m to 8760h (default: 1h)', readSeconds, DEFAULT_SECONDS)
      .option('--audience <name...>', 'who may accept it (default: the sidecar channel of this control plane)')
      .addOption(
        new Option('-o, --output <form>', 'secret: a Kubernetes Secret with the token and the trust bundle')
          .choices(['token', 'secret'])
          .default('token'),
      ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  outrider token --service-account web > web.token\n  outrider token --service-account web --duration 720h -o secret | kubectl apply -f -\n',
    )
    .action(async (flags: TokenFlags) => {
      try {
        await using client = new Client(flags, process.env);
        const token = await requestToken(client, flags);
        process.stdout.write(flags.output === 'secret' ? secretOf(token, client.trustBundle, flags) : `${token}\n`);
      } catch (error) {
        report(error);
      }
    });
};

/** As `outrider inject` expects it. */
const secretOf = (token: string, trustBundle: string, { serviceAccount, namespace }: TokenFlags): string =>
  stringify(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: tokenSecretName(serviceAccount), namespace },
      type: 'Opaque',
      stringData: { token, 'trust-bundle.pem': trustBundle },
    },
    { version: '1.1', lineWidth: 0 },
  );

/** A token for a service account, which is made where it is missing. @throws Failure */
export const requestToken = async (
  client: Client,
  {
    serviceAccount,
    namespace,
    duration,
    audience,
  }: Pick<TokenFlags, 'serviceAccount' | 'namespace' | 'duration' | 'audience'>,
): Promise<string> => {
  await createMissing(client, NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await createMissing(client, SERVICE_ACCOUNT, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: serviceAccount, namespace },
  });
  const answer = await client.call('POST', `${objectPath(SERVICE_ACCOUNT, namespace, serviceAccount)}/token`, {
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: audience ?? [], expirationSeconds: duration },
    },
  });
  return (answer as TokenRequest).status?.token ?? '';
};

const createMissing = (client: Client, kind: ResourceKind, object: ApiObject): Promise<void> => {
  const { name, namespace = '' } = object.metadata;
  return client.ensure(objectPath(kind, namespace, name), collectionPath(kind, namespace), object);
};

const readSeconds = (text: string): number => {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 1h or 30m.');
  return Math.floor(ms / 1_000);
};
