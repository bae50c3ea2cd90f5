/**
 * Pipeline files of a workload in its ConfigMap, each under a key with its digest. A pod template names the key of its
 * file, so pods of an older template keep theirs while a change is under way.
 */
import { digestOf } from '../cluster/object-names.js';
import type { ConfigMap, Deployment } from './manifest-types.js';
import { CONFIG_DIGEST, CONFIG_VOLUME, configVolume, FILE, fileKeyOf } from './pod-template.js';

/** Data of a ConfigMap that may lack it. */
interface FileHolder {
  readonly data?: Readonly<Record<string, string>>;
}

const KEY = /^pipeline-(?<digest>[0-9a-f]{16})\.yaml$/;

export const fileDigest = (text: string): string => digestOf(text, 16);

/** Digest of the file under a key; undefined for keys of others. Up to version 0.1.0 the key was that of the one file. */
export function digestOfEntry(key: string, text: string): string | undefined {
  return key === FILE ? fileDigest(text) : KEY.exec(key)?.groups?.['digest'];
}

/** Files by digest. */
export function filesOf({ data = {} }: FileHolder): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [key, text] of Object.entries(data)) {
    const digest = digestOfEntry(key, text);
    if (digest !== undefined) files.set(digest, text);
  }
  return files;
}

/** The file of pods with this digest, or the only one. */
export function fileOf(holder: FileHolder | undefined, digest?: string): string | undefined {
  const files = filesOf(holder ?? {});
  const found = digest === undefined ? undefined : files.get(digest);
  return found ?? (files.size === 1 ? [...files.values()][0] : undefined);
}

/** The ConfigMap with this file alone. */
export const withFile = (config: ConfigMap, text: string): ConfigMap => ({
  ...config,
  data: { [fileKeyOf(fileDigest(text))]: text },
});

/** The Deployment, whose pods mount this file. */
export function withMountedFile(deployment: Deployment, text: string): Deployment {
  const digest = fileDigest(text);
  const { template } = deployment.spec;
  const annotations = { ...template.metadata.annotations, [CONFIG_DIGEST]: digest };
  const volumes = template.spec.volumes.map((volume) =>
    volume.name === CONFIG_VOLUME && 'configMap' in volume ? configVolume(volume.configMap.name, digest) : volume,
  );
  return {
    ...deployment,
    spec: {
      ...deployment.spec,
      template: {
        ...template,
        metadata: { ...template.metadata, annotations },
        spec: { ...template.spec, volumes },
      },
    },
  };
}
