import { readFile } from 'node:fs/promises';
import { annotationsOf, checkImages, pipelineObject } from '@equipoise/adapter-kubernetes';
import { requireCurves } from '@equipoise/core/plan';
import { loadSpec } from '../compose/load-spec.js';
import { imagesOf } from '../compose/pipeline-images.js';
import { profilesFor } from '../compose/profiles-for.js';
import type { ImageFlag } from '../terminal/image-flag.js';
import type { CommandResult } from '../terminal/run-command.js';

export interface K8sPipelineOptions {
  readonly namespace?: string;
  readonly arrivalRps?: number;
  readonly image?: readonly ImageFlag[];
  readonly profileScale?: number;
}

/**
 * `equipoise k8s pipeline`: prints a pipeline file with its measured profiles as the operator's object. Throws
 * PROFILE_MISSING.
 */
export async function k8sPipeline(file: string, options: K8sPipelineOptions): Promise<CommandResult> {
  const { namespace, arrivalRps, image = [], profileScale } = options;
  const spec = await loadSpec(file);
  const profiles = profilesFor(spec, file, profileScale);
  requireCurves(spec, profiles);
  checkImages(imagesOf(image, ''), spec);
  const images = image.map(({ image: name, of }) => (of === undefined ? name : `${of}=${name}`));
  const { object, text } = pipelineObject(
    await readFile(file, 'utf8'),
    { spec, profiles },
    { annotations: annotationsOf(arrivalRps, images), ...(namespace !== undefined && { namespace }) },
  );
  return { json: object, text };
}
