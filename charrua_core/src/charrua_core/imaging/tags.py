"""Tags of the attributes that imaging reads (PS3.6), so that a worker process starts without the whole dictionary."""

from __future__ import annotations

_TABLE = """
    00080016 SOPClassUID
    00080018 SOPInstanceUID
    00080020 StudyDate
    00080060 Modality
    00080070 Manufacturer
    00080080 InstitutionName
    0008103E SeriesDescription
    00081115 ReferencedSeriesSequence
    00081140 ReferencedImageSequence
    00081155 ReferencedSOPInstanceUID
    00081160 ReferencedFrameNumber
    00082144 RecommendedDisplayFrameRate
    00089205 PixelPresentation
    00100010 PatientName
    00100020 PatientID
    00100030 PatientBirthDate
    00100040 PatientSex
    00180040 CineRate
    00180050 SliceThickness
    00180060 KVP
    00180080 RepetitionTime
    00180081 EchoTime
    00181063 FrameTime
    00181065 FrameTimeVector
    00181151 XRayTubeCurrent
    00181164 ImagerPixelSpacing
    00181600 ShutterShape
    00181602 ShutterLeftVerticalEdge
    00181604 ShutterRightVerticalEdge
    00181606 ShutterUpperHorizontalEdge
    00181608 ShutterLowerHorizontalEdge
    00181610 CenterOfCircularShutter
    00181612 RadiusOfCircularShutter
    00181620 VerticesOfThePolygonalShutter
    00181622 ShutterPresentationValue
    00181623 ShutterOverlayGroup
    00182010 NominalScannedPixelSpacing
    00189226 MRImageFrameTypeSequence
    00189329 CTImageFrameTypeSequence
    00189472 FrameDisplayShutterSequence
    00189751 PETFrameTypeSequence
    00200011 SeriesNumber
    00200013 InstanceNumber
    00201041 SliceLocation
    00280008 NumberOfFrames
    00280030 PixelSpacing
    00280034 PixelAspectRatio
    00280120 PixelPaddingValue
    00280121 PixelPaddingRangeLimit
    00280122 FloatPixelPaddingValue
    00280123 DoubleFloatPixelPaddingValue
    00280124 FloatPixelPaddingRangeLimit
    00280125 DoubleFloatPixelPaddingRangeLimit
    00281040 PixelIntensityRelationship
    00281050 WindowCenter
    00281051 WindowWidth
    00281052 RescaleIntercept
    00281053 RescaleSlope
    00281056 VOILUTFunction
    00281101 RedPaletteColorLookupTableDescriptor
    00281102 GreenPaletteColorLookupTableDescriptor
    00281103 BluePaletteColorLookupTableDescriptor
    00281201 RedPaletteColorLookupTableData
    00281202 GreenPaletteColorLookupTableData
    00281203 BluePaletteColorLookupTableData
    00281221 SegmentedRedPaletteColorLookupTableData
    00281222 SegmentedGreenPaletteColorLookupTableData
    00281223 SegmentedBluePaletteColorLookupTableData
    00282000 ICCProfile
    00283000 ModalityLUTSequence
    00283002 LUTDescriptor
    00283006 LUTData
    00283010 VOILUTSequence
    00283110 SoftcopyVOILUTSequence
    00289110 PixelMeasuresSequence
    00289132 FrameVOILUTSequence
    00289145 PixelValueTransformationSequence
    00480105 OpticalPathSequence
    00620001 SegmentationType
    0062000E MaximumFractionalValue
    00700001 GraphicAnnotationSequence
    00700002 GraphicLayer
    00700003 BoundingBoxAnnotationUnits
    00700004 AnchorPointAnnotationUnits
    00700005 GraphicAnnotationUnits
    00700006 UnformattedTextValue
    00700008 TextObjectSequence
    00700009 GraphicObjectSequence
    00700010 BoundingBoxTopLeftHandCorner
    00700011 BoundingBoxBottomRightHandCorner
    00700014 AnchorPoint
    00700015 AnchorPointVisibility
    00700022 GraphicData
    00700023 GraphicType
    00700024 GraphicFilled
    00700041 ImageHorizontalFlip
    00700042 ImageRotation
    00700052 DisplayedAreaTopLeftHandCorner
    00700053 DisplayedAreaBottomRightHandCorner
    0070005A DisplayedAreaSelectionSequence
    00700060 GraphicLayerSequence
    00700062 GraphicLayerOrder
    00700066 GraphicLayerRecommendedDisplayGrayscaleValue
    00700100 PresentationSizeMode
    00700101 PresentationPixelSpacing
    00700102 PresentationPixelAspectRatio
    00700103 PresentationPixelMagnificationRatio
    00700401 GraphicLayerRecommendedDisplayCIELabValue
    20500010 PresentationLUTSequence
    20500020 PresentationLUTShape
    52009229 SharedFunctionalGroupsSequence
    52009230 PerFrameFunctionalGroupsSequence
"""
TAGS = {keyword: tag for tag, keyword in (line.split() for line in _TABLE.split("\n") if line)}
"""Keyword → tag as 8 upper-case hex digits."""


def tags(keywords: str) -> frozenset[str]:
    """Give the tags of keywords with white space between them."""
    return frozenset(TAGS[keyword] for keyword in keywords.split())
