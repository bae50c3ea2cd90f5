import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import { type Document, parseDocument } from 'yaml';
import { plainPoint } from './profile-points.js';

export interface PipelinePlacement {
  readonly namespace?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A pipeline file as an object and as text, with measured profiles. `text` is the file of `spec`. */
export function pipelineObject(
  text: string,
  { spec, profiles }: { readonly spec: PipelineSpec; readonly profiles: ProfileSet },
  { namespace, annotations }: PipelinePlacement,
): { readonly object: unknown; readonly text: string } {
  const document = parseDocument(text);
  if (namespace !== undefined) document.setIn(['metadata', 'namespace'], namespace);
  for (const [name, value] of Object.entries(annotations)) document.setIn(['metadata', 'annotations', name], value);
  for (const { stageId, variantId, points, loadMs } of profiles) {
    const stage = spec.stages.findIndex(({ id }) => id === stageId);
    const variant = spec.stages[stage]?.variants.findIndex(({ id }) => id === variantId) ?? -1;
    if (variant < 0) continue;
    const place = ['spec', 'stages', stage, 'variants', variant];
    setFlat(document, [...place, 'profile'], points.map(plainPoint));
    if (loadMs !== undefined) document.setIn([...place, 'loadMs'], loadMs);
  }
  return { object: document.toJS() as unknown, text: document.toString({ lineWidth: 0 }) };
}

/** Writes one entry per line. */
function setFlat(document: Document, place: readonly (string | number)[], entries: readonly object[]): void {
  const list = document.createNode(entries) as { items: { flow?: boolean }[] };
  for (const item of list.items) item.flow = true;
  document.setIn(place, list);
}
