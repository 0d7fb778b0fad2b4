import { listOf, objectOf, type Plain, textOf, textsOf } from './plain.ts';

/** Where something is in a document. */
export type Path = readonly (string | number)[];

/** A pod that a manifest describes: the object itself, or the template that a controller makes pods from. */
export interface PodTemplate {
  /** Of the object with `metadata` and `spec` of the pod. */
  readonly path: Path;
  readonly kind: string;
  /** Of the object: `web`. */
  readonly name: string;
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: Plain;
}

/** The kinds with pods in them, by their API group, and where those are. Kubernetes core/v1, apps/v1, batch/v1. */
const TEMPLATES: Readonly<Record<string, Readonly<Record<string, Path>>>> = {
  '': { Pod: [], ReplicationController: ['spec', 'template'], PodTemplate: ['template'] },
  apps: {
    Deployment: ['spec', 'template'],
    StatefulSet: ['spec', 'template'],
    DaemonSet: ['spec', 'template'],
    ReplicaSet: ['spec', 'template'],
  },
  batch: { Job: ['spec', 'template'], CronJob: ['spec', 'jobTemplate', 'spec', 'template'] },
};

/** The pods that a document describes; those of a `List` one by one. None where it describes other things. */
export const podTemplates = (document: unknown, path: Path = []): readonly PodTemplate[] => {
  const object = objectOf(document);
  const apiVersion = textOf(object.apiVersion) ?? '';
  const kind = textOf(object.kind) ?? '';
  if (apiVersion === 'v1' && kind === 'List')
    return listOf(object.items).flatMap((item, i) => podTemplates(item, [...path, 'items', i]));
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
  const inside = TEMPLATES[group]?.[kind];
  if (inside === undefined) return [];
  const { metadata, spec } = inside.reduce<Plain>((parent, step) => objectOf(parent[step]), object);
  const { labels, annotations } = objectOf(metadata);
  const { name, generateName } = objectOf(object.metadata);
  return [
    {
      path: [...path, ...inside],
      kind,
      name: textOf(name) ?? textOf(generateName)?.replace(/-+$/, '') ?? '',
      metadata: { labels: textsOf(labels), annotations: textsOf(annotations) },
      spec: objectOf(spec),
    },
  ];
};
