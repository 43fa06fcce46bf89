function words(list: string): ReadonlySet<string> {
  return new Set(list.split(" "));
}

/** Services that know people, companies, places, numbers or threats, and search engines: what is named after one looks something up. */
export const LOOKUP_PRODUCTS = words(
  "clearbit apollo datagma piloterr dropcontact crunchbase hunter lusha rocketreach zoominfo fullcontact peopledatalabs pdl snov cognism uplead kaspr proxycurl brandfetch builtwith exactbuyer clay similarweb semrush ahrefs dataforseo moz serpapi serper serpstack valueserp searchapi tavily exa brave duckduckgo bing searxng kagi wikipedia wikidata wolfram virustotal shodan abuseipdb urlscan greynoise censys otx misp hibp haveibeenpwned securitytrails ipinfo ipstack ipapi ipdata maxmind openweather openweathermap weatherapi weatherstack accuweather mapbox nominatim opencage finnhub alphavantage coingecko coinmarketcap fixer openexchangerates pinecone qdrant weaviate chroma milvus",
);

/** Services that take data out of pages, files, pictures and recordings. */
export const EXTRACTION_PRODUCTS = words(
  "firecrawl apify scrapingbee scraperapi scrapfly scrapeless scrapegraph scrapegraphai brightdata zenrows browserless puppeteer playwright phantombuster browserbase diffbot parseur docparser mailparser mindee nanonets docsumo llamaparse unstructured textract tesseract whisper assemblyai deepgram gladia",
);

/** Services and programs that turn one form into another. */
export const CONVERSION_PRODUCTS = words("deepl libretranslate pandoc cloudconvert convertapi imagemagick ffmpeg handlebars tinypng");

/** Services that draw, film, sing or speak. */
export const CREATION_PRODUCTS = words(
  "midjourney dall dalle flux stability ideogram leonardo runway runwayml kling veo sora heygen synthesia hedra pika luma suno udio elevenlabs playht cartesia creatomate bannerbear placid json2video shotstack imagen recraft piapi replicate fal",
);

export function isProduct(word: string): boolean {
  return LOOKUP_PRODUCTS.has(word) || EXTRACTION_PRODUCTS.has(word) || CONVERSION_PRODUCTS.has(word) || CREATION_PRODUCTS.has(word);
}
