/** The images of a pipeline on a cluster: those that it names itself, else the one of the operator. */
import { type Images, imagesNamedBy } from '@equipoise/adapter-kubernetes';
import { AppError } from '@equipoise/core/model';
import { InvalidArgumentError } from 'commander';
import { type ImageFlag, images } from '../terminal/image-flag.js';

/** Images from flags; the last one for everything wins, as does the last for a stage or variant. */
export function imagesOf(flags: readonly ImageFlag[], usual: string): Images {
  const pipeline = flags.findLast(({ of }) => of === undefined)?.image ?? usual;
  const own = flags.flatMap(({ of, image }) => (of === undefined ? [] : [[of, image] as const]));
  return { pipeline, byVariant: Object.fromEntries(own) };
}

/** Throws AppError WRONG_USAGE where the annotation of the pipeline is none. */
export function pipelineImages(pipeline: Parameters<typeof imagesNamedBy>[0], usual: string): Images {
  try {
    const flags = imagesNamedBy(pipeline).reduce<readonly ImageFlag[]>((before, text) => images(text, before), []);
    return imagesOf(flags, usual);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new AppError('WRONG_USAGE', `The annotation equipoise.dev/images cannot be read. ${error.message}`);
  }
}
