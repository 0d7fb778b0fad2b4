/** What HTTPRoute and GRPCRoute have in common. Gateway API v1, with its defaults; routes attach to Services (its mesh profile, GAMMA). */

import { type Condition, conditions } from './object.ts';
import { choice, integer, labelName, list, object, port, required, type Schema, subdomain, text } from './schema.ts';

/** What a route attaches to. */
export interface ParentReference {
  /** Default `gateway.networking.k8s.io`; '' for a Service. */
  readonly group: string;
  /** Default `Gateway`; only `Service` has an effect here. */
  readonly kind: string;
  /** Default: the route's. */
  readonly namespace?: string;
  readonly name: string;
  /** A port of the Service, by name; absent: all. */
  readonly sectionName?: string;
  /** A port of the Service; absent: all. */
  readonly port?: number;
}

export interface BackendReference<Filter> {
  /** Default ''. */
  readonly group: string;
  /** Default `Service`. */
  readonly kind: string;
  readonly name: string;
  /** Default: the route's; another one needs a ReferenceGrant there. */
  readonly namespace?: string;
  /** Needed for a Service. */
  readonly port?: number;
  /** Default 1; the share is weight / sum of weights, 0 gets nothing. */
  readonly weight: number;
  readonly filters?: readonly Filter[];
}

/** A copy of requests for another Service; its answers are dropped. Gateway API: HTTPRequestMirrorFilter. */
export interface RequestMirror {
  readonly backendRef: Omit<BackendReference<never>, 'weight' | 'filters'>;
  /** 0–100, default 100. */
  readonly percent: number;
}

export interface HeaderMatch {
  /** Default `Exact`. */
  readonly type: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

export interface HeaderModifier {
  readonly set?: readonly HeaderValue[];
  readonly add?: readonly HeaderValue[];
  readonly remove?: readonly string[];
}

export interface RouteStatus {
  readonly parents: readonly RouteParentStatus[];
}

export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  /** `outrider.mesh/control-plane` */
  readonly controllerName: string;
  /** `Accepted` and `ResolvedRefs`. */
  readonly conditions: readonly Condition[];
}

/** `controllerName` of the statuses that we write. */
export const CONTROLLER_NAME = 'outrider.mesh/control-plane';

export const HEADER_NAME_PATTERN = "^[A-Za-z0-9!#$%&'*+\\-.^_|~]+$";

const headerName = (description: string): Schema =>
  text(description, {
    pattern: HEADER_NAME_PATTERN,
    maxLength: 256,
    'x-outrider-expects': 'the name of a header: at most 256 letters, digits and "-"',
  });

const headerValue = (description: string): Schema =>
  text(description, {
    minLength: 1,
    maxLength: 4_096,
    // A line break or a NUL in a header would let one field become two.
    pattern: '^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]*$',
    'x-outrider-expects': '1 to 4096 characters without control characters',
  });

export const PARENT_REFS: Schema = list(
  'What the route attaches to: Services, as `group: ""`, `kind: Service`.',
  object('A parent.', {
    group: text('`""` for a Service.', { maxLength: 253, default: 'gateway.networking.k8s.io' }),
    kind: text('`Service`. Other kinds are accepted and have no effect here.', { maxLength: 63, default: 'Gateway' }),
    namespace: labelName('Its namespace.', { 'x-outrider-default': 'the namespace of the route' }),
    name: required(subdomain('Its name.')),
    sectionName: subdomain('One port of the Service, by name.', { 'x-outrider-default': 'all ports' }),
    port: port('One port of the Service.', { 'x-outrider-default': 'all ports' }),
  }),
  { maxItems: 32 },
);

/** Matched as the Gateway API's mesh profile says: by Service, whatever the `Host` was. */
export const HOSTNAMES: Schema = list('Accepted and ignored: a route on a Service holds for all its names.', text(''), {
  maxItems: 16,
  'x-outrider-ignored': 'a route on a Service holds for all its names',
});

export const headerMatches = (): Schema =>
  list(
    'Headers that must all match.',
    object('A header.', {
      type: choice('How `value` is compared.', ['Exact', 'RegularExpression'], { default: 'Exact' }),
      name: required(headerName('Its name, in any case.')),
      value: required(headerValue('Its value, or a regular expression for the whole of it.')),
    }),
    { maxItems: 16, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  );

export const headerValues = (description: string): Schema =>
  list(
    description,
    object('A header.', { name: required(headerName('Its name.')), value: required(headerValue('Its value.')) }),
    {
      maxItems: 16,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
  );

export const headerModifier = (description: string): Schema =>
  object(description, {
    set: headerValues('Replaces headers of that name.'),
    add: headerValues('Adds values to headers.'),
    remove: list('Removes headers.', headerName('A header name.'), { maxItems: 16, 'x-kubernetes-list-type': 'set' }),
  });

const backendRef = () => ({
  group: text('`""`: the core group, where `Service` is.', { maxLength: 253, default: '' }),
  kind: text('`Service`.', { maxLength: 63, default: 'Service' }),
  name: required(subdomain('Its name.')),
  namespace: labelName("Its namespace. Another than the route's needs a ReferenceGrant there.", {
    'x-outrider-default': 'the namespace of the route',
  }),
  port: port('The port of the Service. Needed for a Service.'),
});

export const requestMirror = (): Schema =>
  object(
    'Sends a copy of requests to another Service and drops its answers. It is given up when it falls 64 KiB behind.',
    {
      backendRef: required(object('Where the copies go.', backendRef())),
      percent: integer('Of the requests.', 0, 100, { default: 100 }),
    },
  );

export const backendRefs = (filters?: Schema): Schema =>
  list(
    'Where requests go, by weight. Empty: they are answered with an error, unless a filter redirects.',
    object('A destination.', {
      ...backendRef(),
      weight: integer('Its share is this over the sum of all. 0 gets nothing.', 0, 1_000_000, { default: 1 }),
      ...(filters === undefined ? {} : { filters }),
    }),
    { maxItems: 16 },
  );

export const ROUTE_STATUS: Schema = object('Kept by the control plane.', {
  parents: list(
    'One entry for each parent.',
    object('What was found for this parent.', {
      parentRef: object('The parent.', {
        group: text('As in the spec.'),
        kind: text('As in the spec.'),
        namespace: text('As in the spec.'),
        name: text('As in the spec.'),
        sectionName: text('As in the spec.'),
        port: port('As in the spec.'),
      }),
      controllerName: text(`\`${CONTROLLER_NAME}\`.`),
      conditions: conditions('`Accepted`: the route has effect. `ResolvedRefs`: everything that it names is there.'),
    }),
  ),
});
