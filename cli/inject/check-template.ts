import { STATUS } from './annotations.ts';
import { INIT, SIDECAR, STATE_VOLUME, TOKEN_VOLUME } from './names.ts';
import { listOf, objectOf, type Plain, textOf } from './plain.ts';
import type { PodTemplate } from './pod-templates.ts';
import { SIDECAR_PORTS } from './ports.ts';
import type { SidecarSettings } from './settings.ts';
import { SIDECAR_UID } from './sidecar-container.ts';

/** Containers by which other meshes are known. */
const OTHER_MESHES: Readonly<Record<string, string>> = {
  'istio-proxy': 'Istio',
  'linkerd-proxy': 'Linkerd',
  'consul-dataplane': 'Consul',
  'kuma-sidecar': 'Kuma',
};

const containersOf = ({ spec }: PodTemplate): readonly Plain[] => [
  ...listOf(spec.initContainers),
  ...listOf(spec.containers),
];

const namesOf = (objects: readonly Plain[]): readonly string[] =>
  objects.flatMap(({ name }) => (typeof name === 'string' ? [name] : []));

export const isInjected = ({ metadata }: PodTemplate): boolean => STATUS in metadata.annotations;

/** Why a pod that says that it is injected is not. Sentences without a subject. */
export const checkInjected = (template: PodTemplate): readonly string[] =>
  namesOf(containersOf(template)).includes(SIDECAR)
    ? []
    : [`has the annotation ${STATUS}, but no container ${SIDECAR}: take the annotation away`];

/** Why a pod cannot have a sidecar. Sentences without a subject. */
export const checkTemplate = (template: PodTemplate, settings: SidecarSettings): readonly string[] => {
  const { spec } = template;
  const containers = containersOf(template);
  return [
    ...(listOf(spec.containers).length === 0 ? ['has no containers'] : []),
    ...(spec.hostNetwork === true
      ? ["has hostNetwork: its sidecar would take the node's own ports, and anything on the node could call as it"]
      : []),
    ...(spec.hostPID === true
      ? ["has hostPID: the sidecar's memory, and its key, would be open to the node's processes"]
      : []),
    ...(isWindows(spec) ? ['is for Windows, for which there is no sidecar'] : []),
    ...namesOf(containers).flatMap(name => takenBy(name)),
    ...namesOf(listOf(spec.volumes))
      .filter(name => name === TOKEN_VOLUME || name === STATE_VOLUME)
      .map(name => `has a volume ${name} already, by somebody else's hand`),
    ...containers.flatMap(container => portProblems(container, settings)),
    ...(settings.init === undefined ? [] : userProblems(spec, containers)),
    ...upstreamProblems(settings),
    ...(!settings.native && spec.restartPolicy === 'Never' && spec.shareProcessNamespace === false
      ? [
          'has shareProcessNamespace false, by which a classic sidecar could not see that its app has ended: use a native sidecar',
        ]
      : []),
    ...(!settings.native && spec.restartPolicy === 'OnFailure'
      ? [
          'has restartPolicy OnFailure, with which a classic sidecar would be gone when its app starts again: use a native sidecar, or restartPolicy Never',
        ]
      : []),
  ];
};

const isWindows = (spec: Plain): boolean =>
  objectOf(spec.os).name === 'windows' || objectOf(spec.nodeSelector)['kubernetes.io/os'] === 'windows';

const takenBy = (name: string): readonly string[] => {
  if (name === SIDECAR || name === INIT) return [`has a container ${name} already, by somebody else's hand`];
  const mesh = OTHER_MESHES[name];
  return mesh === undefined ? [] : [`has a sidecar of ${mesh} (${name}) already`];
};

/** Whose connections are not redirected: an app of that user would go round its sidecar. */
const userProblems = (spec: Plain, containers: readonly Plain[]): readonly string[] => {
  const standard = objectOf(spec.securityContext);
  return containers.flatMap(({ name, securityContext }) => {
    const { runAsUser = standard.runAsUser, runAsGroup = standard.runAsGroup } = objectOf(securityContext);
    return runAsUser === SIDECAR_UID || runAsGroup === SIDECAR_UID
      ? [
          `has a container ${textOf(name) ?? ''} with the sidecar's own user or group (${SIDECAR_UID}), whose connections are not redirected`,
        ]
      : [];
  });
};

const portProblems = (container: Plain, { upstreams }: SidecarSettings): readonly string[] => {
  const name = textOf(container.name) ?? '';
  return listOf(container.ports).flatMap(({ containerPort, protocol }) => {
    if (protocol !== undefined && protocol !== 'TCP') return [];
    const port = String(containerPort);
    const own = Object.entries(SIDECAR_PORTS).find(([, taken]) => taken === containerPort);
    if (own !== undefined) return [`has a container ${name} on port ${port}, the sidecar's own (${own[0]})`];
    const upstream = upstreams.find(each => each.port === containerPort);
    return upstream === undefined
      ? []
      : [`has a container ${name} on port ${port}, which is to lead to ${upstream.service}`];
  });
};

const upstreamProblems = ({ upstreams }: SidecarSettings): readonly string[] =>
  upstreams.flatMap(({ service, port }, i) => {
    if (Object.values<number>(SIDECAR_PORTS).includes(port))
      return [`has port ${port} for the upstream ${service}, which is the sidecar's own`];
    const earlier = upstreams.slice(0, i).find(other => other.port === port);
    return earlier === undefined ? [] : [`has port ${port} for two upstreams, ${earlier.service} and ${service}`];
  });
