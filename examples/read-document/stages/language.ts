/** Names the language: `text` BYTES [1] stays, `language` BYTES [1] is its ISO 639-1 code, empty if there is none. */
import type { LoadableVariant, LoadedStage, TensorMap } from '@equipoise/core';

interface Detector {
  detect(text: string): { readonly language: string };
}

/** Loads the n-grams of the variant: extrasmall, small, medium or large. */
export async function load({ name }: LoadableVariant): Promise<LoadedStage> {
  const { default: detector } = (await import(`eld/${name}`)) as { default: Detector };
  return { run: (batch) => batch.map((item) => named(item, detector)) };
}

function named({ text }: TensorMap, detector: Detector): TensorMap {
  const page = String(text?.data[0] ?? '');
  return {
    text: { datatype: 'BYTES', shape: [1], data: [page] },
    language: { datatype: 'BYTES', shape: [1], data: [detector.detect(page).language] },
  };
}
