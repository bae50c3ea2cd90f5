/** The pipeline that the page shows. */
export interface PipelineChoice {
  /** Name in the address, if any. */
  readonly asked: string | undefined;
  /** Name that the page showed last. */
  readonly before: string | undefined;
  /** Served pipelines; undefined before the first answer. */
  readonly served: readonly string[] | undefined;
}

/**
 * The pipeline of the address, else the one shown before, else the first. So a page never changes to another pipeline by
 * itself: an action could then go to the wrong pipeline.
 */
export function chosenPipeline({ asked, before, served }: PipelineChoice): string | undefined {
  return asked ?? before ?? served?.[0];
}

/** The chosen pipeline if the server does not serve it. */
export function missingPipeline(choice: PipelineChoice): string | undefined {
  const name = chosenPipeline(choice);
  return name === undefined || choice.served === undefined || choice.served.includes(name) ? undefined : name;
}
