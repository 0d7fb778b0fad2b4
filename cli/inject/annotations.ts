/** The annotations of a pod that say how it gets its sidecar. Names follow Istio's `sidecar.istio.io/…` where it has the same thing. */

export const PREFIX = 'sidecar.outrider.mesh/';

/** Written by `inject` into every pod that it changed; the value is the release. */
export const STATUS = `${PREFIX}status`;

/** Each annotation without the prefix, the default as docs/kubernetes.md has it, and what it is for. */
export const ANNOTATIONS = [
  ['inject', 'true', '`false`: the pod stays as it is.'],
  [
    'nativeSidecar',
    '`true`, `false` with `--classic`',
    '`true`: an init container with `restartPolicy: Always`, which Kubernetes starts before the app and ends after it. `false`: a container among the others.',
  ],
  [
    'interception',
    'the one of `--interception`',
    "`redirect`: the kernel hands the app's connections to the sidecar, and an init container arranges that. `none`: the app calls its sidecar as a proxy, or by `upstreams`.",
  ],
  ['includeInboundPorts', '*', 'Ports of the app whose connections are taken: `80,8000-8100`, `*` or `none`.'],
  ['excludeInboundPorts', 'none', 'Ports of the app that are left alone.'],
  ['includeOutboundPorts', '*', 'Ports of destinations that are taken.'],
  ['excludeOutboundPorts', 'none', 'Ports of destinations that are left alone.'],
  ['includeOutboundIPRanges', '*', 'Destinations that are taken: `10.0.0.0/8,fd00::/8`.'],
  ['excludeOutboundIPRanges', 'none', 'Destinations that are left alone.'],
  ['excludeInterfaces', 'none', 'Network interfaces that are left alone, both ways.'],
  [
    'rewriteProbes',
    '`true` with `interception: redirect`',
    "`true`: probes of the app's ports go to the sidecar, which makes them from within the pod: what the kubelet sends is no mesh traffic.",
  ],
  [
    'service',
    "the label `app.kubernetes.io/name`, else `app`, else the object's name",
    'The service that the pod is an instance of.',
  ],
  [
    'appPorts',
    'the TCP ports of its containers; a protocol as the part of the name before the first `-` counts',
    'Where the app listens: `8080`, or `http=8080,grpc=50051`; `none`: it only calls others.',
  ],
  ['appAddress', '127.0.0.1', 'Where the app listens.'],
  [
    'upstreams',
    '',
    'A local port for each service that is called without a proxy, whatever the protocol: `payments=9101,ledger.books=9102`. The app finds them in `OUTRIDER_UPSTREAM_<NAME>`.',
  ],
  ['proxyEnv', '`true` with `interception: none`', "`true`: the app's containers get `HTTP_PROXY` and the like."],
  ['proxyImage', 'the one of `--image`', 'Image of the sidecar.'],
  ['initImage', 'the one of `--init-image`', 'Image of the init container.'],
  ['proxyImagePullPolicy', 'IfNotPresent', 'Of both images: `Always`, `IfNotPresent` or `Never`.'],
  ['proxyCPU', '100m', 'CPU that is requested.'],
  ['proxyCPULimit', 'none', 'Most CPU; `none`: no limit.'],
  ['proxyMemory', '160Mi', 'Memory that is requested.'],
  ['proxyMemoryLimit', '512Mi', 'Most memory; `none`: no limit.'],
  ['controlPlane', 'the one of `--control-plane`', 'URLs of the control plane, separated by commas.'],
  [
    'tokenSecret',
    '`outrider-` and the service account',
    'The Secret with `token` and `trust-bundle.pem`, in the namespace of the pod.',
  ],
  ['locality', '', '`region/zone`.'],
  [
    'drain',
    "5 s less than the pod's `terminationGracePeriodSeconds`",
    'Time to end in order; at most the grace period.',
  ],
  ['logLevel', 'info', '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.'],
  ['accessLog', 'errors', '`off`, `errors` or `all`.'],
] as const satisfies readonly (readonly [name: string, standard: string, about: string])[];

export type AnnotationName = (typeof ANNOTATIONS)[number][0];

export type Annotations = Readonly<Partial<Record<AnnotationName, string>>>;

/** Those with our prefix, without it. `unknown`: names that nobody knows, as typing errors make them. */
export const readAnnotations = (
  all: Readonly<Record<string, string>>,
): { readonly annotations: Annotations; readonly unknown: readonly string[] } => {
  const ours = Object.entries(all).filter(([name]) => name.startsWith(PREFIX) && name !== STATUS);
  const known = new Set<string>(ANNOTATIONS.map(([name]) => name));
  return {
    annotations: Object.fromEntries(ours.map(([name, value]) => [name.slice(PREFIX.length), value])),
    unknown: ours.map(([name]) => name).filter(name => !known.has(name.slice(PREFIX.length))),
  };
};
