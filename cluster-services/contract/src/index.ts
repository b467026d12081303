export const contractTest: number = 1;
