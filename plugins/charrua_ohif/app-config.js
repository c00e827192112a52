/* How OHIF works in this archive: one source of studies, this archive's DICOMweb, as the person who is logged in.
 *
 * Sources that take an address from the URL (dicomjson, dicomwebproxy) and files of the computer (dicomlocal) are not there,
 * nor is anything that loads configuration from elsewhere (CVE-2026-12473).
 */
window.config = {
  name: "charrua",
  routerBasename: "/ohif",
  extensions: [],
  modes: [],
  customizationService: { "ohif.tours": { $set: [] } },
  showStudyList: false,
  maxNumberOfWebWorkers: 3,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  experimentalStudyBrowserSort: false,
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  allowMultiSelectExport: false,
  investigationalUseDialog: { option: "never" },
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
  showErrorDetails: "dev",
  defaultDataSourceName: "charrua",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "charrua",
      configuration: {
        friendlyName: "Charrua",
        name: "charrua",
        wadoUriRoot: "/wado",
        qidoRoot: "/dicom-web",
        wadoRoot: "/dicom-web",
        qidoSupportsIncludeField: true,
        imageRendering: "wadors",
        thumbnailRendering: "wadors",
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        supportsReject: false,
        dicomUploadEnabled: false,
        staticWado: false,
        singlepart: "bulkdata,video,pdf",
        bulkDataURI: { enabled: true, relativeResolution: "studies" },
        omitQuotationForMultipartRequest: true,
      },
    },
  ],
  httpErrorHandler: (error) => {
    // The session is over: the page's address is asked again, which leads to the log-in and back.
    if (error.status === 401) window.location.reload();
  },
};
