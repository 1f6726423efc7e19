import { ForgeCommand } from '../../src/cli/base-command.js';
import { imageChoice, imageFlags, imagesText } from '../../src/cli/images.js';
import type { ImagesListResult } from '../../src/cli/schemas.js';

export default class ImagesList extends ForgeCommand<ImagesListResult> {
  static override summary = 'Show the container images that the stack needs, and which of them are on this machine';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --engine flink --json'];
  static override flags = { ...imageFlags };

  async run(): Promise<ImagesListResult> {
    const { flags } = await this.parse(ImagesList);
    const { listImages } = await import('../../src/lifecycle/images.js');
    return listImages({ ...this.place(flags.workspace), ...imageChoice(flags) });
  }

  protected override render(result: ImagesListResult): string {
    return imagesText(result);
  }
}
