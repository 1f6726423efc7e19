import { Args } from '@oclif/core';
import { ForgeCommand } from '../../src/cli/base-command.js';
import { imageChoice, imageFlags, imagesText } from '../../src/cli/images.js';
import type { ImagesLoadResult } from '../../src/cli/schemas.js';
import { findingError } from '../../src/errors.js';

export default class ImagesLoad extends ForgeCommand<ImagesLoadResult> {
  static override summary = 'Take the container images of a file that `forge images save` wrote into this machine’s Docker';
  static override description = 'Exit code 5 when the stack needs more than the file has and this machine had.';
  static override examples = ['<%= config.bin %> <%= command.id %> images.tar'];
  static override args = { file: Args.string({ required: true, description: 'File to read' }) };
  static override flags = { ...imageFlags };

  async run(): Promise<ImagesLoadResult> {
    const { args, flags } = await this.parse(ImagesLoad);
    const { loadStackImages } = await import('../../src/lifecycle/images.js');
    this.output.live(`reading ${args.file}`);
    const result = await loadStackImages({ ...this.place(flags.workspace), ...imageChoice(flags), file: args.file });
    const missing = result.images.filter(({ here }) => !here).map(({ image }) => image);
    if (missing.length > 0)
      this.failure = findingError({
        code: 'IMAGES_MISSING',
        message: `The stack needs images that are still not here: ${missing.join(', ')}`,
        hint: 'Write the file anew with the same stack, engine and catalog: `forge images save FILE`',
      });
    return result;
  }

  protected override render(result: ImagesLoadResult): string {
    return imagesText(result);
  }
}
