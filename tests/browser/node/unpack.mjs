// Unpacks the Chromium of @sparticuz/chromium into TMPDIR; its libraries come along when it
// takes itself for a function of AWS.
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";

const { default: chromium } = await import("@sparticuz/chromium");
await chromium.executablePath();
