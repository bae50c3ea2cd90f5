/** Routes a mail: `spam` FP32 [] and `language` BYTES [1] become `route` BYTES [1]: `junk`, or the language. */
import type { LoadedStage } from '@equipoise/core';

export function load(): LoadedStage {
  return {
    run: (batch) =>
      batch.map(({ spam, language }) => {
        const route = Number(spam?.data[0]) >= 0.5 ? 'junk' : String(language?.data[0]);
        return { route: { datatype: 'BYTES', shape: [1], data: [route] } };
      }),
  };
}
