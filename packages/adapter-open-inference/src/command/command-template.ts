/** Variables of a command, such as `{port}`, in its arguments, environment and address. */
import { AppError } from '@equipoise/core/model';

export type TemplateValues = Readonly<Record<string, string>>;

const templateNames = ['port', 'port2', 'port3', 'cpuCores', 'threads'] as const;

/** Replaces the variables of a text. Throws MODEL_LOAD_FAILED for an unknown one. */
export function filledTemplate(text: string, values: TemplateValues): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `A command has no variable {${name}}; it has {${templateNames.join('}, {')}}.`,
    );
  });
}
