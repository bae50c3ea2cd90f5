/** Names the language of a mail: `mail` BYTES [1] becomes `language` BYTES [1], an ISO 639-1 code, empty if there is none. */
import type { LoadableVariant, LoadedStage } from '@equipoise/core';

interface Detector {
  detect(text: string): { readonly language: string };
}

/** Enough text for a certain answer. */
const longest = 1000;

/** Loads the n-grams of the variant: extrasmall, small, medium or large. */
export async function load({ name }: LoadableVariant): Promise<LoadedStage> {
  const { default: detector } = (await import(`eld/${name}`)) as { default: Detector };
  return {
    run: (batch) =>
      batch.map(({ mail }) => {
        const { language } = detector.detect(String(mail?.data[0] ?? '').slice(0, longest));
        return { language: { datatype: 'BYTES', shape: [1], data: [language] } };
      }),
  };
}
