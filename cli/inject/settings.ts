import { APP_PROTOCOLS } from '../../api/snapshot.ts';
import { formatDuration, parseDuration } from '../../common/duration.ts';
import { readConfig } from '../../sidecar/config.ts';
import { type AnnotationName, type Annotations, PREFIX, readAnnotations } from './annotations.ts';
import { type AppProbe, appProbes, probesVariable } from './app-probes.ts';
import { type InitSettings, readInitArgs } from './init-args.ts';
import { tokenSecretName } from './names.ts';
import { listOf, textOf, textsOf } from './plain.ts';
import type { PodTemplate } from './pod-templates.ts';

/** What the command line says for all pods. */
export interface InjectOptions {
  /** No init container with `restartPolicy: Always`, for Kubernetes before 1.29. */
  readonly classic: boolean;
  readonly interception: Interception;
  readonly image: string;
  readonly initImage: string;
  /** URLs, separated by commas. */
  readonly controlPlane: string;
  /** The release, written into the pod. */
  readonly version: string;
}

/** `redirect`: by the kernel, so that the app knows nothing of it. */
export type Interception = 'redirect' | 'none';

export interface Upstream {
  readonly service: string;
  readonly port: number;
}

/** How one pod gets its sidecar. */
export interface SidecarSettings {
  readonly native: boolean;
  /** Undefined: nothing is redirected. */
  readonly init: InitSettings | undefined;
  /** Those that go to the sidecar. */
  readonly probes: readonly AppProbe[];
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly resources: {
    readonly requests: Readonly<Record<string, string>>;
    readonly limits: Readonly<Record<string, string>>;
  };
  readonly tokenSecret: string;
  readonly proxyEnv: boolean;
  readonly upstreams: readonly Upstream[];
  /** Variables of the sidecar (`OUTRIDER_…`) that differ from pod to pod. */
  readonly env: Readonly<Record<string, string>>;
}

/** Kubernetes' own default of `terminationGracePeriodSeconds`. */
const GRACE_SECONDS = 30;
/** Between the end of the drain and the kill. */
const DRAIN_MARGIN_SECONDS = 5;
const QUANTITY = /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const PULL_POLICIES: readonly string[] = ['Always', 'IfNotPresent', 'Never'];
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Reads the annotations of a pod, and derives what they do not say. All problems are reported together, each as a sentence. */
export const readSettings = (
  template: PodTemplate,
  options: InjectOptions,
): { readonly settings: SidecarSettings } | { readonly problems: readonly string[] } => {
  const { annotations, unknown } = readAnnotations(template.metadata.annotations);
  const problems = unknown.map(name => `the annotation ${name} is not one that outrider knows`);
  const bad = (name: AnnotationName, reason: string): void => {
    problems.push(`the annotation ${PREFIX}${name} ${reason}, not ${JSON.stringify(annotations[name])}`);
  };
  const flag = (name: AnnotationName, standard: boolean): boolean => {
    const value = annotations[name];
    if (value !== undefined && value !== 'true' && value !== 'false') bad(name, 'must be "true" or "false"');
    return value === undefined ? standard : value === 'true';
  };
  const matching = (name: AnnotationName, standard: string, fits: (value: string) => boolean, what: string): string => {
    const value = annotations[name] ?? standard;
    if (!fits(value)) bad(name, `must be ${what}`);
    return value;
  };
  const quantity = (name: AnnotationName, standard: string): string =>
    matching(name, standard, value => QUANTITY.test(value) || value === 'none', 'a quantity such as "100m" or "256Mi"');

  const interception = matching(
    'interception',
    options.interception,
    value => value === 'redirect' || value === 'none',
    'redirect or none',
  );
  const redirects = interception === 'redirect';
  const initImage = matching('initImage', options.initImage, value => value !== '', 'the name of an image');
  const account = textOf(template.spec.serviceAccountName) ?? textOf(template.spec.serviceAccount) ?? 'default';
  const settings: SidecarSettings = {
    native: flag('nativeSidecar', !options.classic),
    init: redirects ? { image: initImage, args: readInitArgs(annotations, problems) } : undefined,
    probes: flag('rewriteProbes', redirects) ? appProbes(template) : [],
    image: matching('proxyImage', options.image, value => value !== '', 'the name of an image'),
    imagePullPolicy: matching(
      'proxyImagePullPolicy',
      'IfNotPresent',
      value => PULL_POLICIES.includes(value),
      `one of ${PULL_POLICIES.join(', ')}`,
    ),
    resources: {
      requests: limited({ cpu: quantity('proxyCPU', '100m'), memory: quantity('proxyMemory', '160Mi') }),
      limits: limited({ cpu: quantity('proxyCPULimit', 'none'), memory: quantity('proxyMemoryLimit', '512Mi') }),
    },
    tokenSecret: matching(
      'tokenSecret',
      tokenSecretName(account),
      value => SECRET_NAME.test(value),
      'the name of a Secret',
    ),
    proxyEnv: flag('proxyEnv', !redirects),
    upstreams: readUpstreams(annotations, bad),
    env: {},
  };
  const env = sidecarEnvironment(template, options, annotations, settings, account);
  problems.push(...drainProblems(template, env.OUTRIDER_DRAIN ?? ''), ...configProblems(env));
  return problems.length > 0 ? { problems } : { settings: { ...settings, env } };
};

const limited = (quantities: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(quantities).filter(([, value]) => value !== 'none'));

const readUpstreams = (
  { upstreams = '' }: Annotations,
  bad: (name: AnnotationName, reason: string) => void,
): readonly Upstream[] => {
  const parts = upstreams
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');
  const read = parts.map(part => {
    const [service = '', port = '', ...more] = part.split('=');
    return { service, port: more.length === 0 && /^[0-9]{1,5}$/.test(port) ? Number(port) : 0 };
  });
  if (read.some(({ service, port }) => service === '' || port < 1 || port > 65_535))
    bad('upstreams', 'must be ports by service such as "payments=9101,ledger.books=9102"');
  return read;
};

/** Each that is not the sidecar's own default. */
const sidecarEnvironment = (
  template: PodTemplate,
  options: InjectOptions,
  annotations: Annotations,
  { upstreams, init, probes }: SidecarSettings,
  account: string,
): Readonly<Record<string, string>> => {
  const { labels } = template.metadata;
  const ports = annotations.appPorts ?? declaredPorts(template);
  const all: Readonly<Record<string, string | undefined>> = {
    OUTRIDER_SERVICE: annotations.service ?? labels['app.kubernetes.io/name'] ?? labels.app ?? template.name,
    OUTRIDER_SERVICE_ACCOUNT: account,
    OUTRIDER_APP_PORTS: ports === 'none' ? '' : ports,
    OUTRIDER_APP_ADDRESS: annotations.appAddress,
    OUTRIDER_APP_PROBES: probesVariable(probes),
    OUTRIDER_UPSTREAMS: upstreams.map(({ service, port }) => `${service}=127.0.0.1:${port}`).join(','),
    OUTRIDER_CONTROL_PLANE: annotations.controlPlane ?? options.controlPlane,
    OUTRIDER_INTERCEPTION: init === undefined ? undefined : 'redirect',
    OUTRIDER_LABELS: Object.entries(textsOf(labels))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    OUTRIDER_LOCALITY: annotations.locality,
    OUTRIDER_DRAIN: annotations.drain ?? formatDuration(defaultDrainMs(template)),
    OUTRIDER_LOG_LEVEL: annotations.logLevel,
    OUTRIDER_ACCESS_LOG: annotations.accessLog,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])),
  );
};

/** `http=8080,grpc=50051`. A port whose name begins with no protocol is taken for the sidecar's default. */
const declaredPorts = ({ spec }: PodTemplate): string =>
  listOf(spec.containers)
    .flatMap(({ ports }) => listOf(ports))
    .filter(({ protocol }) => protocol === undefined || protocol === 'TCP')
    .map(({ name, containerPort }) => {
      const declared = APP_PROTOCOLS.find(protocol => protocol === textOf(name)?.split('-')[0]);
      const port = String(containerPort);
      return declared === undefined ? port : `${declared}=${port}`;
    })
    .join(',');

const graceSeconds = ({ spec }: PodTemplate): number =>
  typeof spec.terminationGracePeriodSeconds === 'number' ? spec.terminationGracePeriodSeconds : GRACE_SECONDS;

const defaultDrainMs = (template: PodTemplate): number =>
  Math.max(1, graceSeconds(template) - DRAIN_MARGIN_SECONDS) * 1_000;

const drainProblems = (template: PodTemplate, drain: string): readonly string[] => {
  const [ms, grace] = [parseDuration(drain), graceSeconds(template)];
  return ms !== undefined && ms > Math.max(1, grace) * 1_000
    ? [
        `the annotation ${PREFIX}drain must be at most the pod's terminationGracePeriodSeconds (${grace}), not ${JSON.stringify(drain)}`,
      ]
    : [];
};

/** What the sidecar itself would say of its settings, by the annotation that is meant. */
const configProblems = (env: Readonly<Record<string, string>>): readonly string[] => {
  const result = readConfig(env);
  return 'config' in result
    ? []
    : result.problems.map(({ variable, reason }) =>
        variable === 'OUTRIDER_APP_PROBES'
          ? `the kubelet would not take its probes: OUTRIDER_APP_PROBES ${reason}`
          : `the annotation ${PREFIX}${annotationOf(variable)} ${reason}`,
      );
};

/** `OUTRIDER_APP_PORTS` is `appPorts`. */
const annotationOf = (variable: string): string =>
  variable
    .replace('OUTRIDER_', '')
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
